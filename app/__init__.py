"""The Gradio application. It knows `sherf`; `sherf` never knows it."""
