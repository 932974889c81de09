"""Colours and styles of the page."""

import gradio as gr

CSS = """
.gradio-container {width: 100% !important; max-width: 1180px !important; margin: auto}
.gradio-container main, .gradio-container .tabs {width: 100%; min-width: 100%}
.dark {--color-accent: var(--primary-400)}
.toast-close {opacity: 1 !important}
footer {display: none !important}
#verdict {min-height: 3.2em}
#comparison .icon {color: #fff !important}
.dark #comparison .icon {color: #000 !important}
#visibility .pending {opacity: 1 !important}
#motions .grid-wrap {height: auto; min-height: 0; max-height: none; padding: 0}
#motions .caption-label {font-size: 12px}
#landmarks .html-container {padding: 0}
[data-testid="status-tracker"]:has(.error) {display: none}
"""


def theme() -> gr.Theme:
    """Return a quiet theme with one accent; unlike Gradio's Soft, every text has a contrast of at least 4.5 to 1."""
    accent, subdued = "*primary_700", "*neutral_600"
    soft = gr.themes.Soft(
        primary_hue="teal",
        neutral_hue="slate",
        radius_size="lg",
        font=["system-ui", "sans-serif"],
        font_mono=["monospace"],
    )
    return soft.set(
        background_fill_primary="*neutral_50",  # Soft's own value, which set() discards
        color_accent=accent,
        block_label_text_color=accent,
        block_title_text_color=accent,
        block_label_background_fill_dark=accent,
        button_primary_background_fill=accent,
        button_primary_background_fill_dark=accent,
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        button_secondary_background_fill_hover_dark=accent,
        checkbox_border_color="*neutral_500",
        checkbox_label_background_fill_selected=accent,
        checkbox_label_background_fill_selected_dark=accent,
        body_text_color_subdued=subdued,
        block_info_text_color=subdued,
        link_text_color_dark="*secondary_300",
    )
