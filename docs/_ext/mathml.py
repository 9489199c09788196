"""Writes formulas as MathML, which browsers draw by themselves: no script, and no connection."""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert


def _tex(node):
    return node.astext().strip()


def visit_inline(self, node):
    """Write a formula within a line."""
    self.body.append(convert(_tex(node)))
    raise SkipNode


def visit_block(self, node):
    """Write a formula on lines of its own."""
    self.body.append(f'<div class="math">{convert(_tex(node), display="block")}</div>')
    raise SkipNode


def setup(app):
    """Register the renderer, which `html_math_renderer` names."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
