"""Write a template as servers read it: Jinja for vLLM, SGLang and `transformers`; JSON for LMDeploy. Text only.

A message's content is one string, as servers make it of the parts of a message. Both files write the model's own
system prompt where a conversation brings none; the page always brings one.
"""

import json
from typing import Any

from internvl_demo.conversation.template import Template


def jinja_of(template: Template) -> str:
    """Return the template as Jinja, whose comment names it."""
    system, question = (
        _around(template.before_system, template.after_system),
        _around(template.before_question, template.after_question),
    )
    answer = _around(f"{template.before_answer}{template.answer_start}", template.after_answer)
    return (
        f"{{#- {template.name} -#}}{{{{ {_quoted(template.start)} }}}}"
        f"{{% if not messages or messages[0]['role'] != 'system' %}}"
        f"{{{{ {_quoted(template.before_system + template.system + template.after_system)} }}}}{{% endif %}}"
        f"{{% for message in messages %}}"
        f"{{% if message['role'] == 'system' %}}{system}"
        f"{{% elif message['role'] == 'user' %}}{question}"
        f"{{% else %}}{answer}{{% endif %}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{{{{ {_quoted(template.before_answer)} }}}}{{% endif %}}"
    )


def lmdeploy_of(template: Template, model_name: str) -> dict[str, Any]:
    """Return the template as LMDeploy's `--chat-template` reads it; LMDeploy adds the first token itself."""
    end = template.ends[0] if template.after_answer.startswith(template.ends[0]) else template.after_answer
    return {
        "model_name": model_name,
        "system": template.before_system,
        "meta_instruction": template.system,
        "eosys": template.after_system,
        "user": template.before_question,
        "eoh": template.after_question,
        "assistant": template.before_answer,
        "eoa": end,
        "separator": template.after_answer.removeprefix(end),
        "stop_words": list(template.ends),
    }


def _around(before: str, after: str) -> str:
    return f"{{{{ {_quoted(before)} + message['content'] + {_quoted(after)} }}}}"


def _quoted(text: str) -> str:
    """Return a text as a literal of Jinja, whose escapes are Python's."""
    return json.dumps(text, ensure_ascii=False)
