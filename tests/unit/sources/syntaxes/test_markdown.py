"""Documentation: fences by their language, prompts, inline code, indented code, and placeholders that mean nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tagsweep.sources.syntaxes.markdown import SYNTAX
from tests.unit.sources.syntaxes.planted import found, mangled, survives

MARKDOWN = """\
# Install

Use `team/inline:1`, or **team/bold:1**. See https://example.com/a/b:1 and `src/main.py:12`.
Run `docker pull team/code` first; `key: value`, `localhost:8080`, `a/b`.

```bash title="run.sh"
$ docker run -d \\
    -p 80:80 \\
    team/run
# docker pull team/hash:1
docker pull team/app:{version}
docker pull team/app:<tag>
docker pull team/app:XXXX.XX.X
docker pull team/open:$TAG
docker pull $IMAGE
```

- in a list:

  ```yaml
  services:
    web:
      image: team/compose
  ```

~~~dockerfile
FROM team/docker:1 AS base
FROM base
~~~

```
docker run team/nolanguage
```

```json
{"image": "team/json:1"}
```

```yaml
- name: web
  image: team/snippet:${TAG:-2}
...
broken: [
```

    $ docker pull team/indented

```python
client.run("team/python:1")
```

> ```sh
> docker pull team/quoted
> ```

```text
Pulling from team/text:1
```

The end: and/or: text/html:x, 10.0.0.0/8:1, 2024/05/01:12, github.com/acme/api:main.
"""


def test_documentation_gives_every_image_on_its_line() -> None:
    """Code is read by its language and text by shape; placeholders, addresses and files with lines are nothing."""
    assert found(SYNTAX, "docs/install.md", MARKDOWN) == [
        "3 =docker.io/team/inline:1",
        "3 =docker.io/team/bold:1",
        "4 =docker.io/team/code:latest",
        "9 =docker.io/team/run:latest",
        "10 =docker.io/team/hash:1",
        "14 ~docker.io/team/open|.*",
        "23 =docker.io/team/compose:latest",
        "27 =docker.io/team/docker:1",
        "32 =docker.io/team/nolanguage:latest",
        "36 =docker.io/team/json:1",
        "41 =docker.io/team/snippet:2",
        "41 ~docker.io/team/snippet|.*",
        "46 =docker.io/team/indented:latest",
        "49 =docker.io/team/python:1",
        "53 =docker.io/team/quoted:latest",
        "57 =docker.io/team/text:1",
    ]


RST = """\
Install
=======

.. code-block:: bash

   docker run team/rst

.. code-block:: yaml

   web:
     image: team/rstyaml

Then::

   $ docker pull team/literal

Use ``docker pull team/double`` now.
"""
ADOC = """\
= Install

[source,bash]
----
docker run team/adoc
----

[source,yaml]
----
web:
  image: team/adocyaml
----

`docker pull team/code`
"""


def test_yaml_under_the_name_of_a_shell_is_yaml() -> None:
    """A fence that says ``bash`` and holds a Compose file is read as what it is."""
    text = "```bash\n# compose.yml\nservices:\n  web:\n    image: team/mistaken\n```\n"
    assert found(SYNTAX, "README.md", text) == ["5 =docker.io/team/mistaken:latest"]


def test_a_dockerfile_without_a_language_is_read_as_one() -> None:
    """Instructions in a fence tell what it is, also after other lines."""
    bare = "```\n# the image\nWORKDIR /x\nFROM team/bare:1\nRUN x\n```\n"
    earth = "```\nVERSION 0.8\nbuild:\n  FROM team/earth:1\n  RUN x\n```\n"
    shell = "```bash\nFROM team/mistaken:1\n```\n"
    assert found(SYNTAX, "README.md", bare + earth + shell) == [
        "4 =docker.io/team/bare:1",
        "10 =docker.io/team/earth:1",
        "14 =docker.io/team/mistaken:1",
    ]


def test_other_markup_has_code_as_well() -> None:
    """Code blocks of reStructuredText and AsciiDoc are read by their language."""
    assert found(SYNTAX, "docs/install.rst", RST) == [
        "6 =docker.io/team/rst:latest",
        "11 =docker.io/team/rstyaml:latest",
        "15 =docker.io/team/literal:latest",
        "17 =docker.io/team/double:latest",
    ]
    assert found(SYNTAX, "docs/install.adoc", ADOC) == [
        "5 =docker.io/team/adoc:latest",
        "11 =docker.io/team/adocyaml:latest",
        "14 =docker.io/team/code:latest",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "tensorzero/gateway:{version}",
        "tensorzero/gateway:XXXX.XX.X",
        "```\ndocker pull tensorzero/gateway:{version}\n```",
        "```yaml\nimage: tensorzero/gateway:<version>\n```",
        "```yaml\nimage: {{ image }}\n```",
        "The docker image is good. Docker: run it.",
        "`docker run [OPTIONS] IMAGE [COMMAND]`",
        "`docker build .`",
    ],
)
def test_placeholders_are_no_references(text: str) -> None:
    """What only stands for something in a text for people is not told."""
    assert found(SYNTAX, "README.md", text) == []


@settings(deadline=None)
@given(mangled(MARKDOWN))
def test_no_documentation_is_too_odd(text: str) -> None:
    """Any text is read."""
    survives(SYNTAX, "README.md", text)
    survives(SYNTAX, "x.adoc", text)
