"""The form of a language model: a prompt in, a text out."""

from typing import Any

from hfkit.hub.space.facts import Facts
from hfkit.hub.space.forms import mistake, told


def form(gradio: Any, answer: Any, about: Facts) -> dict[str, Any]:
    chats = bool(getattr(answer.tokenizer, "chat_template", None))

    def ask(prompt: str, tokens: float, temperature: float) -> str:
        if not prompt.strip():
            raise mistake(gradio, "Write a prompt first.")
        how: dict[str, Any] = {"do_sample": temperature > 0, "max_new_tokens": int(tokens)}
        how |= {"temperature": temperature} if temperature > 0 else {}
        with told(gradio):
            asked = [{"role": "user", "content": prompt}] if chats else prompt
            (found,) = answer(asked, return_full_text=False, **how)
        said = found["generated_text"]
        return str(said if isinstance(said, str) else said[-1]["content"])

    inputs = [
        gradio.Textbox(label="Prompt", lines=4),
        gradio.Slider(1, 500, value=60, step=1, label="Tokens at most"),
        gradio.Slider(0, 2, value=0, step=0.1, label="Temperature (0: the likeliest token)"),
    ]
    return {"fn": ask, "inputs": inputs, "outputs": [gradio.Textbox(label="Answer", lines=8)]}


example = '"The first words", max_new_tokens=50'
job = "language modelling"
