"""Commands that only ask: where too many wait, on either side of the pipe, they are refused in words."""

from __future__ import annotations

from ftgui.protocol import messages as m

QUESTIONS = (
    m.Predict,
    m.Explain,
    m.FindSimilar,
    m.PredictFiles,
    m.PreviewAugmentation,
    m.EstimateCost,
    m.EvaluateImages,
)
"""May be refused; what steers, stops or ends never is."""

REFUSAL = "Too many questions are waiting for the engine. Ask again when it has answered some."
