"""Charts as inline SVG: small functions from figures to markup, coloured by the page's style sheet."""
