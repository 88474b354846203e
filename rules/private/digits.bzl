"""Numbers as text."""

OCTAL = "01234567"
DECIMAL = "0123456789"

def is_digits(text, digits):
    """Whether a text is digits, and at least one.

    Args:
        text: the text.
        digits: which digits there are.

    Returns:
        A bool.
    """
    return bool(text) and not [c for c in text.elems() if c not in digits]
