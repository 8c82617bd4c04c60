"""Terraform and OpenTofu: images in resources, encoded JSON and Helm values, with variables, locals and state files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tagsweep.sources.syntaxes import generic_yaml, hcl, jsontree
from tagsweep.sources.syntaxes.files import File, NotParsed, Syntax
from tagsweep.sources.syntaxes.findings import Finding, NoReference
from tagsweep.sources.syntaxes.helm_command import chart_reference, set_images
from tagsweep.sources.syntaxes.image import read_image
from tagsweep.sources.syntaxes.image_keys import could_name_image, is_image_key, may_be_image_key
from tagsweep.sources.syntaxes.shell_words import Word
from tagsweep.sources.syntaxes.template import Value, Variables
from tagsweep.sources.syntaxes.yamlnodes import Items, Node, Pairs, Scalar, walk

_CODE: Final = (".tf", ".tofu", ".tfvars")
_STATE: Final = (".tfstate", ".tfstate.backup")
# Their ``image`` is that of a virtual machine.
_MACHINES: Final = re.compile(
    r"google_compute_|digitalocean_droplet|hcloud_|linode_|openstack_|vultr_|proxmox_|libvirt_|lxd_|"
    r"incus_|scaleway_instance|azurerm_.*(?:virtual_machine|linux_vm)|oci_core|exoscale_|aws_instance|aws_ami|civo_|equinix_|upcloud_"
)
_NAMED_BY_NAME: Final = frozenset({"docker_image", "docker_registry_image"})
_OWN_RESOURCE: Final = re.compile(r"\$\{(?:docker_image|docker_registry_image)\.[^}]*\}")


def claims(file: File) -> bool:
    """Tell whether the file is configuration, values or state of Terraform or OpenTofu."""
    return file.name.endswith((*_CODE, *_STATE))


def extract(file: File) -> Iterator[Finding]:
    """Yield what the file names. Raises NotParsed where it is no HCL, or no JSON for a state."""
    if file.name.endswith(_STATE):
        yield from _state(jsontree.parse(file.text))
        return
    body = hcl.parse(file.text)
    reader = _Reader(_variables(file, body))
    for kind, node in body.entries.items():
        if kind in {"variable", "terraform", "provider"}:
            continue
        for path, block in _blocks(kind, node):
            yield from reader.block(path, block)
    if file.name.endswith(".tfvars"):
        yield from generic_yaml.find_in(body, variables=reader.variables)


def _blocks(kind: str, node: Node) -> Iterator[tuple[tuple[str, ...], Pairs]]:
    """Yield each block with its kind and labels: ``("resource", "docker_image", "api")``."""
    for entry in node.entries if isinstance(node, Items) else ():
        path = [kind]
        inner: Node = entry
        labels = {"resource": 2, "data": 2, "ephemeral": 2, "module": 1, "output": 1, "check": 1}.get(kind, 0)
        while labels and isinstance(inner, Pairs) and len(inner.entries) == 1:
            ((label, inner),) = inner.entries.items()
            path.append(label)
            labels -= 1
        if isinstance(inner, Pairs):
            yield tuple(path), inner


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads blocks with what is known of the variables."""

    variables: Variables

    def block(self, path: tuple[str, ...], block: Pairs) -> Iterator[Finding]:
        resource = path[1] if len(path) > 1 and path[0] in {"resource", "data"} else ""
        at = ".".join(path[1:] if path[0] == "resource" else path)
        if resource and _MACHINES.match(resource):
            yield from self.machine(block, at)
            return
        if resource in _NAMED_BY_NAME:
            for text in hcl.texts(block.get("name")):
                yield from self.image(text, at)
        if resource == "helm_release":
            yield from self.release(block, at)
        for node in walk(block):
            if isinstance(node, Pairs):
                yield from self.mapping(node, at, sure=resource.startswith(("docker_", "kubernetes_")))

    def machine(self, block: Pairs, at: str) -> Iterator[Finding]:
        """Yield what a machine runs when it starts: scripts and declarations in its texts, not its own image."""
        for node in walk(block):
            if isinstance(node, Scalar) and node.tag == "heredoc":
                yield from self.heredoc(node, at)
            elif isinstance(node, Scalar):
                yield from generic_yaml.find_in(node, key="text", variables=self.variables, at=at)

    def mapping(self, node: Pairs, at: str, *, sure: bool) -> Iterator[Finding]:
        together = self.split(node, at)
        yield from together
        for key, value in node.entries.items():
            if isinstance(value, Scalar) and value.tag == "heredoc":
                yield from self.heredoc(value, at)
            elif isinstance(value, Pairs) or (together and key in {"repository", "tag", "image", "registry"}):
                continue
            elif is_image_key(key) or may_be_image_key(key):
                for text in hcl.texts(value):
                    if could_name_image(text.value, bare=is_image_key(key)):
                        yield from self.image(text, at, sure=sure and key == "image")
            else:
                for text in hcl.texts(value):
                    yield from generic_yaml.find_in(text, key=key, variables=self.variables, at=at)

    def split(self, node: Pairs, at: str) -> list[Finding]:
        """Return the image that is written in parts beside each other."""
        keys = {
            "repository",
            "repo",
            "image",
            "image_name",
            "registry",
            "hub",
            "tag",
            "image_tag",
            "digest",
            "name",
            "newTag",
        }
        parts = {key: value for key, value in node.entries.items() if key in keys and isinstance(value, Scalar)}
        if len(parts) < 2:  # noqa: PLR2004 - a part alone is no image in parts
            return []
        tagged = {"tag", "image_tag", "digest", "newTag", "registry", "hub"} & set(parts)
        if not tagged:
            return []
        # Mappings are read one by one as walk gives them, so this one stands alone, without what is below it.
        alone = Pairs({key: value for key, value in parts.items() if value.value not in {"", "null"}}, node.line)
        found = generic_yaml.find_in(alone, variables=self.variables, at=at)
        names = {
            part.line for key, part in parts.items() if key in {"repository", "repo", "image", "image_name", "name"}
        }
        return [finding for finding in found if finding.line in names]

    def heredoc(self, value: Scalar, at: str) -> Iterator[Finding]:
        """Yield what YAML, JSON or a script in a heredoc names."""
        try:
            yield from generic_yaml.find(value.value, line=value.line, variables=self.variables, at=at)
        except NotParsed:
            yield from generic_yaml.lines(value.value, line=value.line, variables=self.variables, at=at)
            yield from generic_yaml.find_in(
                Scalar(value.value, value.line - 1, plain=False, block=True),
                key="text",
                variables=self.variables,
                at=at,
            )

    def release(self, block: Pairs, at: str) -> Iterator[Finding]:
        """Yield the images that a Helm release sets by ``set``, and its chart where a registry has it."""
        settings: dict[str, tuple[str, Word]] = {}
        for key in ("set", "set_sensitive"):
            for entry in block.items(key):
                name, value = (entry.text("name"), entry.text("value")) if isinstance(entry, Pairs) else (None, None)
                if name is not None and value is not None:
                    settings[name.value] = (value.value, Word(value.value, value.line))
        for text, word in set_images(settings):
            yield from read_image(text, line=word.line, at=at, variables=self.variables)
        chart, repository, version = block.text("chart"), block.text("repository"), block.text("version")
        if chart is None:
            return
        url = chart.value
        if repository is not None and repository.value.startswith("oci://"):
            url = f"{repository.value.rstrip('/')}/{url}"
        if url.startswith("oci://"):
            text = chart_reference(url, version.value if version is not None else "")
            yield from read_image(text, line=chart.line, at=at, note="chart", variables=self.variables)

    def image(self, text: Scalar, at: str, *, sure: bool = True) -> Iterator[Finding]:
        if _OWN_RESOURCE.fullmatch(text.value) or text.value in {"null", "true", "false"}:
            return  # the resource that it names is read itself
        for finding in read_image(text.value, line=text.line, at=at, variables=self.variables):
            if sure or not isinstance(finding, NoReference):
                yield finding


def _variables(file: File, body: Pairs) -> Variables:
    """Return what is known of ``var.x`` and ``local.x``: defaults, ``terraform.tfvars`` and locals of the directory."""
    values: dict[str, Value] = {}
    settled: dict[str, Value] = {}
    bodies = [body]
    for path, other in _others(file):
        if path.endswith(("terraform.tfvars", ".auto.tfvars")):
            _given(other, settled, settled=True)
        elif path.endswith(".tfvars"):
            _given(other, values, settled=False)
        else:
            bodies.append(other)
    for each in bodies:
        for name, block in _variable_blocks(each):
            texts = tuple(text.value for text in hcl.texts(block.get("default")) if text.value != "null")
            before = values.get(f"var.{name}", Value(())).texts
            if texts:
                values[f"var.{name}"] = Value(tuple(dict.fromkeys((*before, *texts))), settled=False)
        for entry in each.items("locals"):
            for name, node in entry.entries.items() if isinstance(entry, Pairs) else ():
                _local(f"local.{name}", node, values)
    values.update(settled)
    return values.get


def _others(file: File) -> Iterator[tuple[str, Pairs]]:
    """Yield the other files of the directory that set variables. What cannot be parsed is told where it is read."""
    for path in file.tree.paths(file.directory):
        if path == file.path or path.rpartition("/")[0] != file.directory or not path.endswith(_CODE):
            continue
        text = file.tree.read(path)
        if text is None or not re.search(r"(?m)^\s*(?:variable|locals)\b|^[A-Za-z_]+\s*=", text):
            continue
        try:
            yield path, _parsed(text)
        except NotParsed:
            continue


@lru_cache(maxsize=64)
def _parsed(text: str) -> Pairs:
    """Return a file's body. Each file of a directory asks for all the others."""
    return hcl.parse(text)


def _variable_blocks(body: Pairs) -> Iterator[tuple[str, Pairs]]:
    for entry in body.items("variable"):
        for name, block in entry.entries.items() if isinstance(entry, Pairs) else ():
            if isinstance(block, Pairs):
                yield name, block


def _given(body: Pairs, values: dict[str, Value], *, settled: bool) -> None:
    for name, node in body.entries.items():
        texts = tuple(text.value for text in hcl.texts(node))
        if texts:
            before = values.get(f"var.{name}", Value(())).texts
            values[f"var.{name}"] = Value(tuple(dict.fromkeys((*before, *texts))), settled=settled)


def _local(name: str, node: Node, values: dict[str, Value]) -> None:
    if isinstance(node, Pairs):
        for key, inner in node.entries.items():
            if isinstance(inner, Scalar):
                values[f"{name}.{key}"] = Value((inner.value,))
        return
    texts = tuple(text.value for text in hcl.texts(node) if f"${{{name}" not in text.value)
    if texts:
        values[name] = Value(texts)


def _state(tree: Node) -> Iterator[Finding]:
    """Yield what a state's resources name. Outputs and variables are not what runs."""
    for resource in tree.items("resources") if isinstance(tree, Pairs) else ():
        if not isinstance(resource, Pairs):
            continue
        kind = resource.text("type")
        name = resource.text("name")
        at = ".".join(part.value for part in (kind, name) if part is not None)
        if kind is not None and _MACHINES.match(kind.value):
            continue
        for instance in resource.items("instances"):
            attributes = instance.pairs("attributes") if isinstance(instance, Pairs) else Pairs()
            named = attributes.text("name") if kind is not None and kind.value in _NAMED_BY_NAME else None
            if named is not None:
                yield from read_image(named.value, line=named.line, at=at)
            digest = attributes.text("repo_digest")
            if digest is not None and "@" in digest.value:
                yield from read_image(digest.value, line=digest.line, at=at)
            if not (kind is not None and kind.value == "docker_container" and _is_id(attributes.text("image"))):
                yield from generic_yaml.find_in(attributes, at=at)


def _is_id(image: Scalar | None) -> bool:
    return image is not None and image.value.startswith("sha256:")


SYNTAX: Final = Syntax(name="terraform", claims=claims, extract=extract)
