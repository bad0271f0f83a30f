"""The package as others find it: manifest, version, import rules, colcon and pip installs."""

from importlib.metadata import requires
import os
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import sys
import zipfile

from catkin_pkg.changelog import get_changelog_from_path
from catkin_pkg.package import parse_package
from docutils.core import publish_doctree
from needed import skip_without
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
import pytest
import yaml

from s2r_depth_ros.cli import VERBS

ROOT = Path(__file__).parents[1]
OF_EARLIER_BUILDS = {'s2r_depth_ros.session'}  # which the benchmarks measure, too
EXECUTABLES = {'depth_node', 'camera_player', 's2r', 's2r_train'}


def run(command, **options):
    """Run a command and return its output; fail with it where the command fails."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def sources(folder):
    """Copy what git would ship, so that building leaves the checkout alone."""
    shutil.copytree(ROOT, folder, ignore=_not_shipped)
    return folder


def _not_shipped(folder, names):
    top = Path(folder) == ROOT
    made = {'build', 'install', 'log', 'demo', 'train-demo', 'runs', 'data', 'dist'}
    return [
        name
        for name in names
        if name.startswith('.')
        or name == '__pycache__'
        or name.endswith('.egg-info')
        or (top and name in made)
    ]


def test_the_manifest_is_valid():
    package = parse_package(str(ROOT))
    package.validate()
    assert package.package_format == 3
    assert package.get_build_type() == 'ament_python'
    assert [str(licence) for licence in package.licenses] == ['Apache-2.0']


def test_the_manifest_is_xml_as_xmllint_reads_it():
    if shutil.which('xmllint') is None:
        skip_without('xmllint', 'libxml2-utils')
    run(['xmllint', '--noout', ROOT / 'package.xml'])


def test_a_robot_needs_no_torch():
    keys = {each.name for each in parse_package(str(ROOT)).exec_depends}
    assert {'rclpy', 'python3-numpy'} <= keys
    assert 'python3-torch' not in keys
    needed = {Requirement(text) for text in requires('s2r_depth_ros')}
    without_extra = {each.name for each in needed if not each.marker}
    assert 'onnxruntime' in without_extra
    assert 'torch' not in without_extra


def test_the_demo_installs_neither_torch_nor_training_nor_test_tools():
    """Neither by name nor because something that it names requires them."""
    demo = installed_with(requirements('run'))
    assert {'numpy', 'onnxruntime', 'opencv-python-headless', 'ros-jazzy-rclpy'} <= demo
    assert not demo & {
        'torch',
        'onnx',
        'lightning-fabric',
        'scipy',
        'tensorboard',
        'pytest',
        'mypy',
        'sphinx',
    }
    training = installed_with(requirements('train'))
    assert demo < training
    assert 'torch' in training
    assert not training & {'pytest', 'mypy', 'sphinx'}


def test_each_level_has_what_the_package_asks_for_there():
    for extra, level in (('', 'run'), ('torch', 'train'), ('train', 'train'), ('tools', 'dev')):
        assert asked_for(extra) <= set(requirements(level)), (extra, level)


def test_the_docker_image_has_what_node_and_tools_ask_for():
    of_rosdep = {
        'python3-matplotlib': 'matplotlib',
        'python3-numpy': 'numpy',
        'python3-opencv': 'opencv-python-headless',
        'python3-pil': 'pillow',
        'python3-tqdm': 'tqdm',
        'python3-yaml': 'pyyaml',
    }
    keys = {each.name for each in parse_package(str(ROOT)).exec_depends}
    dockerfile = (ROOT / 'docker/Dockerfile').read_text().replace('\\\n', ' ')
    arguments = shlex.split(re.search(r'pip install (.*)', dockerfile)[1])
    of_pip = {
        canonicalize_name(Requirement(word).name)
        for word in arguments
        if not word.startswith(('-', '$'))
    }
    for extra in ('', 'tools'):
        assert asked_for(extra) <= of_pip | {of_rosdep[key] for key in keys & set(of_rosdep)}


def asked_for(extra):
    """Return the names that the package requires with an extra; empty for none."""
    return {
        canonicalize_name(each.name)
        for each in map(Requirement, requires('s2r_depth_ros'))
        if each.marker is None or each.marker.evaluate({'extra': extra})
    }


def requirements(level):
    """Return the names in a file of requirements, and in those that it includes."""
    names = []
    for line in (ROOT / 'requirements' / f'{level}.txt').read_text().splitlines():
        if line.startswith('-r '):
            names += requirements(line[3:].removesuffix('.txt'))
        elif line and not line.startswith('#'):
            names.append(canonicalize_name(Requirement(line).name))
    return names


def installed_with(names):
    """Return these distributions and all that they require, as far as they are installed."""
    reached, waiting = set(), [*names]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in reached:
            continue
        reached.add(name)
        for each in map(Requirement, requires(name) or ()):
            if each.marker is None or each.marker.evaluate({'extra': ''}):
                waiting.append(each.name)
    return reached


def test_the_changelog_is_well_formed_and_of_this_version():
    text = (ROOT / 'CHANGELOG.rst').read_text()
    publish_doctree(text, settings_overrides={'halt_level': 2, 'report_level': 5})
    changelog = get_changelog_from_path(str(ROOT / 'CHANGELOG.rst'))
    versions = [version for version, _, _ in changelog.foreach_version(reverse=True)]
    assert {'0.1.0', '0.2.0'} <= set(versions)
    assert versions == sorted(versions, key=Version, reverse=True)
    assert versions[0] == parse_package(str(ROOT)).version


def test_the_citation_names_the_paper_and_this_version():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    assert citation['cff-version'] == '1.2.0'
    assert {'message', 'title', 'authors'} <= set(citation)
    assert citation['version'] == parse_package(str(ROOT)).version
    assert (
        f'{citation["version"]} ({citation["date-released"]})'
        in (ROOT / 'CHANGELOG.rst').read_text()
    )
    paper = citation['preferred-citation']
    assert [author['family-names'] for author in paper['authors']] == [
        'Chen',
        'Wang',
        'Chen',
        'Zeng',
    ]
    assert paper['year'] == 2021


def test_issue_forms_ask_for_what_a_maintainer_needs():
    forms = {
        path.name: yaml.safe_load(path.read_text())
        for path in (ROOT / '.github/ISSUE_TEMPLATE').iterdir()
    }
    assert set(forms) == {'bug.yml', 'feature.yml'}
    for form in forms.values():
        assert {'name', 'description', 'body'} <= set(form)
        questions = [item for item in form['body'] if item['type'] != 'markdown']
        assert len({item['id'] for item in questions}) == len(questions)
        assert all(item['attributes']['label'] for item in questions)
        assert any(item.get('validations', {}).get('required') for item in questions)
    (verb,) = (
        re.search('`s2r (.+)`', item['attributes']['label'])[1]
        for item in forms['bug.yml']['body']
        if item.get('id') == 'doctor'
    )
    assert verb in VERBS


def test_hooks_before_a_commit_run_the_tools_of_make_lint():
    (repository,) = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos']
    assert repository['repo'] == 'local'
    for hook in repository['hooks']:
        program = Path(hook['entry'].split()[0])
        assert program.parent == Path('.venv/bin')
        assert program.name in requirements('dev')
        run([Path(sys.executable).with_name(program.name), '--version'])
    assert {hook['id'] for hook in repository['hooks']} == {
        'ruff',
        'ruff-format',
        'codespell',
        'mdformat',
    }


def test_modules_and_pages_that_code_and_settings_name_exist():
    missing = set()
    for file in named_in():
        text = file.read_text(encoding='utf-8')
        for name in re.findall(
            r'\b(?:s2r_depth_ros|s2r_depth_training|s2r_scenes)(?:\.\w+)+', text
        ):
            if name not in OF_EARLIER_BUILDS and not is_module_or_attribute(name):
                missing.add(f'{file.relative_to(ROOT)}: {name}')
        for page in re.findall(r'\bdocs/[\w/-]+\.(?:md|py)\b', text):
            if not (ROOT / page).is_file():
                missing.add(f'{file.relative_to(ROOT)}: {page}')
    assert not missing


def named_in():
    """Return the code and the settings of the repository, whose names no other test follows."""
    folders = '.ci benchmarks config docker docs findings launch s2r_depth_ros test training'
    nested = (file for folder in folders.split() for file in (ROOT / folder).rglob('*'))
    suffixes = {'', '.cfg', '.html', '.py', '.sh', '.toml', '.txt', '.xml', '.yaml', '.yml'}
    return [
        file
        for file in (*ROOT.iterdir(), *nested)
        if file.is_file() and file.suffix in suffixes and file.name != 'LICENSE'
        if '__pycache__' not in file.parts and not file.name.startswith('.coverage')
    ]


def is_module_or_attribute(name):
    """Return whether a dotted name is a module, or a word in its module, such as a function."""
    package, *parts = name.split('.')
    path = ROOT / package if package == 's2r_depth_ros' else ROOT / 'training' / package
    while parts and (path / parts[0]).is_dir():
        path /= parts.pop(0)
    if parts and (path / f'{parts[0]}.py').is_file():
        module = path / f'{parts.pop(0)}.py'
    else:
        module = path / '__init__.py'
    # Each module has these.
    return not parts or parts[0].startswith('__') or parts[0] in module.read_text()


def test_every_executable_is_installed_by_pip():
    scripts = Path(sys.executable).parent
    assert {name for name in EXECUTABLES if (scripts / name).is_file()} == EXECUTABLES


@pytest.mark.parametrize('name', sorted(EXECUTABLES))
def test_every_executable_has_a_help_page(name):
    text = run([Path(sys.executable).parent / name, '--help'])
    assert len(text.splitlines()) > 10, text


@pytest.mark.parametrize(
    ('name', 'examples'),
    [
        (
            's2r',
            [
                ('s2r ""', 'depth'),
                ('s2r depth --sa', '--save'),
                ('s2r bag a b --storage ""', 'mcap'),
            ],
        ),
        (
            's2r_train',
            [
                ('s2r_train ""', 'evaluate'),
                ('s2r_train dsa --res', '--resume'),
                ('s2r_train evaluate --data', '--dataset'),
                ('s2r_train completion z', 'zsh'),
            ],
        ),
    ],
)
def test_the_shell_completes_verbs_and_options(tmp_path, name, examples):
    script = tmp_path / name
    script.write_text(run([Path(sys.executable).parent / name, 'completion', 'bash']))
    for words, wanted in examples:
        said = run(
            [
                'bash',
                '-c',
                f'. {script}; COMP_WORDS=({words}); COMP_CWORD=$(('
                f'${{#COMP_WORDS[@]}} - 1)); _shtab_{name}; echo ${{COMPREPLY[@]}}',
            ]
        )
        assert wanted in said.split(), (words, said)


@pytest.mark.parametrize('options', [[], ['--symlink-install']], ids=['plain', 'symlink'])
def test_colcon_builds_and_tests_the_package(tmp_path, options):
    workspace = tmp_path / 'workspace'
    sources(workspace / 'src' / 's2r_depth_ros')
    colcon = Path(sys.executable).parent / 'colcon'
    environment = {**os.environ, 'COLCON_LOG_LEVEL': '40', 'COLCON_HOME': str(tmp_path)}
    environment.pop('COLCON_PREFIX_PATH', None)
    output = run([colcon, 'build', *options], cwd=workspace, env=environment)
    assert 'Finished <<< s2r_depth_ros' in output
    installed = workspace / 'install' / 's2r_depth_ros'
    assert EXECUTABLES <= {path.name for path in (installed / 'lib' / 's2r_depth_ros').iterdir()}
    share = installed / 'share' / 's2r_depth_ros'
    assert (share / 'package.xml').is_file()
    for folder in ('launch', 'config', 'rviz'):
        for file in (ROOT / folder).rglob('*.*'):
            if file.is_file() and '__pycache__' not in file.parts:
                assert (share / file.relative_to(ROOT)).is_file(), file

    run(
        [colcon, 'test', '--pytest-args', 'test/installed_package.py'],
        cwd=workspace,
        env=environment,
    )
    summary = run([colcon, 'test-result', '--verbose'], cwd=workspace, env=environment)
    assert re.search(r'Summary: [1-9]\d* tests, 0 errors, 0 failures, 0 skipped', summary), summary


def test_a_wheel_has_the_code_and_the_models_and_runs_where_it_is_installed(tmp_path):
    source = sources(tmp_path / 'source')
    run([sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', tmp_path, source])
    (wheel,) = tmp_path.glob('*.whl')
    names = zipfile.ZipFile(wheel).namelist()
    for module in (ROOT / 's2r_depth_ros').rglob('*.py'):
        assert str(module.relative_to(ROOT)) in names
    for module in (ROOT / 'training' / 's2r_depth_training').rglob('*.py'):
        assert str(module.relative_to(ROOT / 'training')) in names
    assert {
        f's2r_depth_ros/{name}'
        for name in (
            'cli/view/page.html',
            'cli/view/foxglove_layout.json',
            'fastdds_large_images.xml',
        )
    } <= set(names)
    bundled = {
        f's2r_depth_ros/weights/models/{path.name}'
        for path in (ROOT / 's2r_depth_ros' / 'weights' / 'models').glob('compact-*')
    }
    assert bundled <= set(names)
    assert not [name for name in names if name.startswith('test')]

    # As in a new environment, except that torch and the like are those of this one.
    fresh = tmp_path / 'fresh'
    run([sys.executable, '-m', 'venv', '--without-pip', fresh])
    run(
        [
            sys.executable,
            '-m',
            'pip',
            '--python',
            fresh / 'bin' / 'python',
            'install',
            '--no-deps',
            '--no-index',
            wheel,
        ]
    )
    here, there = (
        Path(
            prefix,
            'lib',
            f'python{sys.version_info.major}.{sys.version_info.minor}',
            'site-packages',
        )
        for prefix in (sys.prefix, fresh)
    )
    (there / 'others.pth').write_text(f'{here}\n')
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ('PYTHONPATH', 'LD_LIBRARY_PATH', 'AMENT_PREFIX_PATH')
    }
    run(
        [
            fresh / 'bin' / 's2r',
            'depth',
            there / 's2r_depth_ros' / 'demo_frames' / 'street_0.jpg',
            '--save',
            'npy',
            'sheet',
            '--out',
            tmp_path / 'out',
        ],
        cwd=tmp_path,
        env=environment,
    )
    assert (tmp_path / 'out' / 'depth_m' / 'street_0.npy').is_file()
    where = run(
        [fresh / 'bin' / 'python', '-c', 'import s2r_depth_ros as s; print(s.__file__)'],
        cwd=tmp_path,
        env=environment,
    )
    assert Path(where.strip()).is_relative_to(fresh)
