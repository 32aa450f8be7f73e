"""The power goes during `make deploy`: the old version starts or the new one, never neither."""

import littlefs
import pytest
from deploy_kit import run, version

from lowtide import store
from lowtide.orders import Orders
from tools import deploy, image, prompt
from tools.virtual_board import flash
from tools.virtual_board.driver import VirtualBoard, read_image, write_image

# On the board: what its flash is told to do, kept, on a mount of that `readsize`. No collection:
# littlefs does not bear one in the middle of its work, and a chip's own flash driver causes none.
_RECORD = """\
import esp32, gc, os, vfs
gc.disable()
class Record:
    flash, done = esp32.Partition("vfs"), []
    def readblocks(self, *args):
        self.flash.readblocks(*args)
    def writeblocks(self, block, buf, offset):
        self.done.append((block, offset, bytes(buf)))
        self.flash.writeblocks(block, buf, offset)
    def ioctl(self, op, arg):
        if op == 6:
            self.done.append((arg, 0, b""))
        return self.flash.ioctl(op, arg)
vfs.umount("/")
vfs.mount(vfs.VfsLfs2(Record(), readsize=%d), "/")
os.chdir("/")
"""
_TELL = "for b, at, d in Record.done[%d:][:50]: print(b, at, binascii.hexlify(d).decode())"
_ERASED = b"\xff" * flash.BLOCK_SIZE


def recorded(folder, files, readsize):
    """Deploy on a board; return its flash operations, `(where, bytes)`."""
    board = VirtualBoard(folder, "--heap=8m")
    try:
        target = prompt.Target(str(board.link), print)
        target.run(_RECORD % readsize)
        deploy.deploy(target, files, print)
        told = []
        while more := target.run(_TELL % len(told)).splitlines():
            told += [line.split() for line in more]
        target.restart()
    finally:
        board.power_off()
    return [
        (int(block) * flash.BLOCK_SIZE + int(at), bytes.fromhex("".join(data)) or _ERASED)
        for block, at, *data in told
    ]


def cuts(volume, operations):
    """Yield what cuts leave of a volume: operations undone, half done, torn; at last, all."""
    left = bytearray(volume)
    for start, new in operations:
        half, end = start + len(new) // 2, start + len(new)
        yield left
        left[start:half] = new[: half - start]
        yield left
        # Of the bits that change in the other half, some have.
        pairs = zip(left[half:end], new[half - start :], strict=True)
        left[half:end] = bytes(to ^ ((was ^ to) & 0x5A) for was, to in pairs)
        yield left
        left[start:end] = new
    yield left


def mounted(volume):
    """Mount a volume, of which nothing is copied."""
    sizes = {"block_size": flash.BLOCK_SIZE, "block_count": flash.BLOCK_COUNT}
    context = littlefs.UserContext(0)
    context.buffer = volume
    fs = littlefs.LittleFS(context, mount=False, **sizes)
    fs.mount()
    return fs


def content(fs, path):
    with fs.open(path, "rb") as f:
        return f.read()


@pytest.mark.parametrize("readsize", [32, 128])
def test_a_cut_at_every_operation_leaves_a_whole_version(tmp_path, staged, readsize):
    # On either mount, as `make deploy` may come before boot.py makes its own. All are read as a
    # board finds them, before littlefs mends what it sees; four boot.
    (tmp_path / "level").write_text("0.5")
    versions = [image.layout(staged[name]) for name in (staged["old"], "9.9.9")]
    older = {f"fw-00000000/{name}": b"older" for name in ("app.mpy", "lowtide/agent.mpy")}
    write_image(tmp_path / "flash.img", versions[0] | older | {"order.rec": b"the order"})
    before = (tmp_path / "flash.img").read_bytes()
    operations = recorded(tmp_path, versions[1], readsize)
    found = []
    for volume in cuts(before, operations):
        fs = mounted(volume)
        which = [files["boot.py"] for files in versions].index(content(fs, "boot.py"))
        wanted = versions[which] | {"main.py": versions[0]["main.py"], "order.rec": b"the order"}
        assert {path: content(fs, path) for path in wanted} == wanted
        found.append(which)
    assert len(operations) > 200 and len(found) == 3 * len(operations) + 1
    assert found == sorted(found) and set(found) == {0, 1}
    switch = found.index(1)
    boots = {len(found) // 3: 0, switch // 2: 0, switch - 1: 0, switch: 1}
    for number, volume in enumerate(cuts(before, operations)):
        if number in boots:
            (tmp_path / "flash.img").write_bytes(volume)
            assert started(tmp_path) == (staged["old"], "9.9.9")[boots[number]]


def started(folder):
    """Return the version that starts."""
    board = VirtualBoard(folder)
    try:
        return version(board)
    finally:
        board.power_off()


def _cut(tmp_path, staged, at):
    # -> (whether the power went, the version that starts afterwards)
    board = VirtualBoard(tmp_path, f"--cut-after={at}")
    try:
        run(board, staged["9.9.9"])
    except prompt.BoardError:
        assert board.process.wait(30) == 75
    cut = board.process.poll() == 75
    board.power_off()
    return cut, started(tmp_path)


@pytest.mark.parametrize("at", [2, 60, 130])
def test_the_power_goes_in_the_middle_and_the_old_version_starts(tmp_path, staged, at):
    (tmp_path / "level").write_text("0.5")
    placed = Orders(None)
    placed.state, placed.event_id = "placed", "an id"
    store.Store(str(tmp_path / "order.rec")).save(placed.pack())
    kept = {"order.rec": (tmp_path / "order.rec").read_bytes()}
    write_image(tmp_path / "flash.img", image.layout(staged[staged["old"]]) | kept)
    assert _cut(tmp_path, staged, at) == (True, staged["old"])
    (tmp_path / "order.rec").write_bytes(read_image(tmp_path / "flash.img")["order.rec"])
    after = Orders(None, store.Store(str(tmp_path / "order.rec")).load())
    assert (after.state, after.event_id) == ("placed", "an id")
