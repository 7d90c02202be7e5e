"""Split predictions into segments and compute their metrics and pooled features."""
