"""From-scratch language models: a decoder-only Transformer, an LSTM, and the tokenizers that training texts give."""
