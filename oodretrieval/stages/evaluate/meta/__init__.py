"""How well a meta model predicts the IoU of segments."""
