def greet(who: str) -> dict[str, str]:
    return {"text": f"Hello {who}"}
