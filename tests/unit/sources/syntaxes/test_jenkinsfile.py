"""Pipelines of Jenkins."""

from __future__ import annotations

from hypothesis import given, settings

from tagsweep.sources.syntaxes.jenkinsfile import SYNTAX
from tests.unit.sources.syntaxes.planted import found, mangled, survives

PIPELINE = '''\
// docker.image('acme/comment:1') is not used
/* agent { docker 'acme/comment:2' } */
def version = "1.4"
pipeline {
  agent { docker { image 'maven:3.9' ; args '-v /tmp:/tmp' } }
  parameters { string(name: 'TAG', defaultValue: 'latest', description: "which") }
  environment { REPO = 'acme/api' }
  stages {
    stage('short') { agent { docker 'gradle:8' } }
    stage('build') {
      steps {
        sh 'docker pull acme/one:1'
        sh """
          docker pull acme/two:${version}
          docker run --rm acme/three:${params.TAG} true
        """
        sh(script: "docker pull acme/four:${env.BUILD_NUMBER}", returnStdout: true)
        script {
          docker.image("${REPO}:${version}").inside { sh 'make' }
          docker.build("acme/built:${env.BUILD_ID}").push()
          docker.withRegistry('https://registry.acme.io', 'creds') {
            docker.image('acme/web:2').pull()
          }
        }
      }
    }
    stage('pod') {
      agent {
        kubernetes {
          yaml """
            spec:
              containers:
              - name: go
                image: golang:1.23
              - name: kaniko
                image: "gcr.io/kaniko-project/executor:debug"
          """
        }
      }
    }
  }
}
podTemplate(containers: [containerTemplate(name: 'n', image: 'node:22', command: 'cat')]) { }
'''


def test_a_pipeline_gives_every_image_on_its_line() -> None:
    """Agents, docker.image, builds, pods and commands are found; what stands in comments is not."""
    assert found(SYNTAX, "Jenkinsfile", PIPELINE) == [
        "5 =docker.io/library/maven:3.9",
        "9 =docker.io/library/gradle:8",
        "12 =docker.io/acme/one:1",
        "14 =docker.io/acme/two:1.4",
        "15 =docker.io/acme/three:latest",
        "15 ~docker.io/acme/three|.*",
        "17 ~docker.io/acme/four|.*",
        "19 =docker.io/acme/api:1.4",
        "19 =registry.acme.io/acme/api:1.4",
        "20 ~docker.io/acme/built|.* (built by the pipeline)",
        "20 ~registry.acme.io/acme/built|.* (built by the pipeline)",
        "22 =docker.io/acme/web:2",
        "22 =registry.acme.io/acme/web:2",
        "34 =docker.io/library/golang:1.23",
        "36 =gcr.io/kaniko-project/executor:debug",
        "43 =docker.io/library/node:22",
    ]


def test_a_pipeline_without_images_gives_nothing() -> None:
    """Plain texts and steps are no images."""
    text = "pipeline { agent any\n stages { stage('a:b') { steps { echo 'x/y' ; sh 'make test' } } } }\n"
    assert found(SYNTAX, "ci/Jenkinsfile.release", text) == []


@settings(deadline=None)
@given(mangled(PIPELINE))
def test_no_pipeline_is_too_odd(text: str) -> None:
    """Any text is read."""
    survives(SYNTAX, "Jenkinsfile", text)
