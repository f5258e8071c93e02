"""What the drawings of this folder have in common."""


def document(width, height, parts):
    """An SVG file of so many pixels, of elements as text."""
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            'font-family="sans-serif" font-size="11">',
            f'<rect width="{width}" height="{height}" fill="white"/>']
    return "\n".join([*head, *parts, "</svg>"]) + "\n"
