"""Keys under which files of any format keep container images, and values under them that are something else."""

from __future__ import annotations

import re
from typing import Final

IMAGE_KEYS: Final = frozenset(
    {
        "image",
        "imagename",
        "imageuri",
        "imageurl",
        "imageref",
        "imagereference",
        "imagerepository",
        "imageidentifier",
        "containerimage",
        "dockerimage",
        "dockerimagename",
        "baseimage",
        "defaultimage",
        "builderimage",
        "buildimage",
        "runimage",
        "runnerimage",
        "initimage",
        "sidecarimage",
        "operatorimage",
        "proxyimage",
        "agentimage",
        "ociimage",
    }
)
"""Written without separators and in lower case: under these an image may also have neither path nor tag."""
REPOSITORY_KEYS: Final = ("repository", "repo", "imagerepository", "image", "imagename", "name", "newname")
TAG_KEYS: Final = ("tag", "imagetag", "newtag", "imageversion", "dockertag", "version")
REGISTRY_KEYS: Final = ("registry", "hub", "imageregistry", "host")
DIGEST_KEYS: Final = ("digest", "imagedigest", "sha")
_PICTURES: Final = re.compile(
    r"(?i)(?:background|cover|hero|og|social|thumbnail|thumb|profile|icon|logo|avatar|banner|featured?|header|splash|"
    r"twitter|meta|card|preview|poster|gallery|machine|os|vm|disk|boot|source|ami|favicon|alt|user)[_-]?images?(?:name|uri|url)?"
)
_FILE: Final = re.compile(
    r"(?i).*\.(?:png|jpe?g|gif|svg|webp|ico|avif|bmp|tiff?|iso|img|qcow2|vmdk|ova|ovf|raw|dmg|vhdx?|tar|gz|tgz|zip|pdf|css|js|exe)"
    r"(?:[?#].*)?"
)
_URL: Final = re.compile(r"(?i)(?:https?|ftp|file|data|s3|gs|git|ssh):.*", re.DOTALL)
_LONGEST: Final = 4096
_EXPRESSION: Final = re.compile(r"\.[+*]|[\[\]^|\\]|\(\?|\*")


def squeezed(key: str) -> str:
    """Return the key in lower case and without the marks that separate its words."""
    return key.lower().replace("_", "").replace("-", "")


def is_image_key(key: str) -> bool:
    """Tell whether an image stands under this key for certain enough that it may be written without a tag."""
    return squeezed(key) in IMAGE_KEYS


def may_be_image_key(key: str) -> bool:
    """Tell whether the key's last word is image: what stands there is one if it has a path or a tag."""
    name = squeezed(key)
    return name.endswith(("image", "images", "imagename", "imageuri", "imageref")) and _PICTURES.fullmatch(key) is None


def could_name_image(text: str, *, bare: bool) -> bool:
    """Tell whether a value can name a container image: no file, URL, picture or regular expression.

    ``bare`` says that a name alone (``nginx``) is one too.
    """
    text = text.strip()
    if (
        not 0 < len(text) <= _LONGEST
        or text.startswith(("/", "./", "../", "~", "<", "-", "#"))
        or any(space in text for space in "\n\t")
    ):
        return False
    if _URL.fullmatch(text) or _FILE.fullmatch(text):
        return False
    literal = re.sub(r"\$\{\{.*?\}\}|\{\{.*?\}\}|\$\{.*\}|\$\([^)]*\)|\[\[.*?\]\]", "x", text)
    if _EXPRESSION.search(literal) or " " in literal:
        return False
    return bare or "/" in text or ":" in text or "$" in text or "{{" in text
