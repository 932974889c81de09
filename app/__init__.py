"""The Gradio web page that `sherf app` serves: layout, callbacks, and one session per user.

The page only calls the library; nothing of the library except the command `sherf app` imports this package.
"""
