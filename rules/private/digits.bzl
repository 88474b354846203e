"""Numbers as text."""

OCTAL = "01234567"
DECIMAL = "0123456789"

def is_digits(text, digits):
    """Reports whether a text is one or more digits.

    Args:
        text: the text.
        digits: the digits of its base.

    Returns:
        A bool.
    """
    return bool(text) and not [c for c in text.elems() if c not in digits]
