def greet(who):
    return {"text": f"Hello {who}"}
