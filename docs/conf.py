"""Sphinx: pages in Markdown, the reference from docstrings, every reference checked."""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import llms

import deepidv_async
import deepidv_async.limits
import deepidv_async.limits.redis
import deepidv_async.observe
import deepidv_async.simulator
import deepidv_async.testing

project = "deepidv_async"
author = "the deepidv_async authors"
project_copyright = "the deepidv_async authors"
version = release = deepidv_async.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = f"deepidv_async {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}
# llms.txt links the sources, which are Markdown already.
html_sourcelink_suffix = ""
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

# In docstrings `this` is code, and an "Attributes" section lists what is no member of its own.
default_role = "literal"
napoleon_use_ivar = True
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
# The constructor's arguments are told in the class's docstring.
autoclass_content = "class"

nitpicky = True
# Only our own names are checked: the pages of Python and of the libraries are not at hand when
# the documentation is built without a network.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!deepidv_async).*"),
    (r"py:.*", r"deepidv_async\.[\w.]+\.(T|T_co|_\w+)"),
    (r"py:class", r"deepidv_async\.simulator\._\w+\.\w+"),
]
# What methods take or give back and nobody has to name.
nitpick_ignore = [
    ("py:class", "deepidv_async._retry.Retry"),
    ("py:class", "deepidv_async._retry.Stop"),
    ("py:class", "deepidv_async.limits._permit.BucketPermit"),
    ("py:class", "deepidv_async.limits._scope.PermitScope"),
    ("py:class", "deepidv_async.limits._shared.HashReader"),
    ("py:class", "deepidv_async.limits._store.ScriptRunner"),
    ("py:class", "deepidv_async.testing._fake.ClientOptions"),
]

PUBLIC_MODULES = [
    deepidv_async,
    deepidv_async.limits,
    deepidv_async.limits.redis,
    deepidv_async.observe,
    deepidv_async.simulator,
    deepidv_async.testing,
]


def link_public_name(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Link a class where users find it: annotations name the module that defines it."""
    target = node.get("reftarget", "")
    name = target.rpartition(".")[2]
    if not target.startswith("deepidv_async."):
        return None
    domain = env.domains["py"]
    for module in PUBLIC_MODULES:
        public = f"{module.__name__}.{name}"
        for role in ("class", "exc", "data") if name in module.__all__ else ():
            place = (env, node["refdoc"], app.builder, role, public, node, contnode)
            if (found := domain.resolve_xref(*place)) is not None:
                return found
    return None


def fences_to_directives(_app: Any, _what: str, _name: str, *rest: Any) -> None:
    """Let docstrings hold Markdown's fenced code, which editors show well."""
    lines: list[str] = rest[-1]
    converted: list[str] = []
    inside = False
    for line in lines:
        if fence := re.match(r"( *)```(\w*)$", line):
            inside = bool(fence[2])
            converted += [f"{fence[1]}.. code-block:: {fence[2]}", ""] if inside else [""]
        else:
            converted.append(f"   {line}" if inside and line else line)
    lines[:] = converted


def write_llms(app: Any, failed: Exception | None) -> None:
    """Put llms.txt and llms-full.txt beside the pages."""
    if failed is None and app.builder.format == "html":
        for name, text in llms.files(Path(app.srcdir)).items():
            Path(app.outdir, name).write_text(text)


def setup(app: Any) -> None:
    """Take part in Sphinx's reading of docstrings, before napoleon, and search for references."""
    app.connect("autodoc-process-docstring", fences_to_directives, priority=100)
    app.connect("missing-reference", link_public_name)
    app.connect("build-finished", write_llms)
