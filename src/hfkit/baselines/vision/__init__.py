"""From-scratch reference models for pictures: networks from (batch, channels, height, width) to (batch, `width`)."""
