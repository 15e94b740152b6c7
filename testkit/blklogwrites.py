#!/usr/bin/env python3
"""Power cuts at every point between two flushes: a disk whose writes are logged, and the log replayed up to a cut.

    sudo testkit/blklogwrites.py [--cuts 100] [--sync FULL|NORMAL|OFF] [--journal wal|delete|truncate|persist]
                                 [--seconds 3] [--ours PATH] [--stock sqlite3] [--seed N]

    shell ─► ext4 ─► /dev/loop ─► file on FUSE ─► qemu-storage-daemon ─► blklogwrites ─► disk.img, log.img

A shell commits numbered rows for some seconds. With each answer that comes back the number of entries of the log is noted:
a commit is acknowledged from there on. Then cuts are chosen: every flush, as far as --cuts goes, and points between them. For
each a disk is made of what was flushed by then and, of what was written since, nothing, everything, or some sectors in any
order; it is mounted, ext4 recovers itself, and our shell and stock sqlite3, in turn, recover the database: it must be whole,
its rows must be 1 to n without a gap, and n at least the last number that was acknowledged before the cut.

With FULL nothing may be lost (with --journal delete: EXTRA, because the journal's deletion is not synced before). With NORMAL
the end may be lost, nothing may be torn. OFF is the control: it must lose something. Needs root, loop devices, FUSE and
qemu-storage-daemon (Debian: qemu-utils 7.1 or later); where one is missing it says which, and exits with 77.
"""
import argparse
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

SECTOR = 512
FLUSH, FUA, DISCARD = 1, 2, 4
DISK_MIB, LOG_MIB = 48, 4096


def sh(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def missing():
    """What this machine lacks, or None."""
    if os.geteuid() != 0:
        return "root"
    for program in ("qemu-storage-daemon", "losetup", "mkfs.ext4", "mount"):
        if shutil.which(program) is None:
            return program
    for device in ("/dev/fuse", "/dev/loop-control"):
        if not os.path.exists(device):
            return device
    return None


class Recorder:
    """The disk that is written to, and its log."""

    def __init__(self, folder):
        self.mount = os.path.join(folder, "mount")
        self.log = os.path.join(folder, "log.img")
        disk, exported = os.path.join(folder, "disk.img"), os.path.join(folder, "exported")
        os.mkdir(self.mount)
        open(exported, "w").close()
        for path, size in ((disk, DISK_MIB), (self.log, LOG_MIB)):
            with open(path, "wb") as f:
                f.truncate(size << 20)
        self.daemon = subprocess.Popen([
            "qemu-storage-daemon",
            "--blockdev", f"driver=file,node-name=disk,filename={disk}",
            "--blockdev", f"driver=file,node-name=log,filename={self.log}",
            "--blockdev", "driver=blklogwrites,node-name=logged,file=disk,log=log",
            "--export", f"type=fuse,id=export,node-name=logged,mountpoint={exported},writable=on",
        ])
        for _ in range(100):
            if os.path.getsize(exported) == DISK_MIB << 20:
                break
            time.sleep(0.05)
        self.loop = sh("losetup", "-f", "--show", exported)
        sh("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self.loop)
        sh("mount", self.loop, self.mount)
        # From here on every state of the disk is a file system.
        sh("sync", "-f", self.mount)

    def entries(self):
        """How many writes and flushes are in the log: those of the last flush at least."""
        with open(self.log, "rb") as f:
            return struct.unpack("<8xQQ", f.read(24))[1]

    def close(self):
        subprocess.run(["umount", self.mount], capture_output=True)
        if self.loop:
            subprocess.run(["losetup", "-d", self.loop], capture_output=True)
        self.daemon.terminate()
        self.daemon.wait()


class Writer(threading.Thread):
    """Feeds a shell with commits; notes after which entry of the log each was acknowledged."""

    def __init__(self, shell, db, args, recorder):
        super().__init__(daemon=True)
        words = ["stdbuf", "-oL", shell, db] if "sqlite3" in shell else [shell, "-batch", db]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        head = (
            f"PRAGMA journal_mode={args.journal};PRAGMA synchronous={args.sync};PRAGMA wal_autocheckpoint=20;\n"
            "CREATE TABLE IF NOT EXISTS log(n INTEGER PRIMARY KEY, v BLOB, w UNIQUE);\n"
        )
        self.process.stdin.write(head.encode())
        self.recorder = recorder
        self.acknowledged = []

    def run(self):
        n = 0
        try:
            while True:
                n += 1
                line = f"INSERT INTO log VALUES({n}, randomblob({random.choice([10, 300, 9000])}), hex(randomblob(8)));"
                self.process.stdin.write(f"{line} SELECT 'ack', {n} WHERE changes()=1;\n".encode())
                wanted = f"ack|{n}\n".encode()
                while (answer := self.process.stdout.readline()) != wanted:
                    if not answer:
                        return
                self.acknowledged.append((self.recorder.entries(), n))
        except (BrokenPipeError, ValueError):
            pass


def read_log(path):
    """The entries: flags, byte offset on the disk, bytes."""
    entries = []
    with open(path, "rb") as f:
        magic, version, count, sector = struct.unpack("<QQQI", f.read(28))
        assert magic == 0x6A736677736872 and version == 1 and sector == SECTOR
        at = SECTOR
        for _ in range(count):
            f.seek(at)
            where, sectors, flags, _ = struct.unpack("<QQQQ", f.read(32))
            at += SECTOR
            if flags & DISCARD:
                entries.append((flags, where * SECTOR, bytes(sectors * SECTOR)))
                continue
            f.seek(at)
            entries.append((flags, where * SECTOR, f.read(sectors * SECTOR)))
            at += sectors * SECTOR
    return entries


class Disk:
    """A disk as it was after some entries: what was flushed, and what was not yet."""

    def __init__(self, entries):
        self.entries = entries
        self.flushed = bytearray(DISK_MIB << 20)
        self.pending = []
        self.next = 0

    def go_to(self, count):
        while self.next < count:
            flags, at, data = self.entries[self.next]
            self.next += 1
            if flags & FLUSH:
                for at_, data_ in self.pending:
                    self.flushed[at_:at_ + len(data_)] = data_
                self.pending = []
            if data and flags & FUA:
                self.flushed[at:at + len(data)] = data
            elif data:
                self.pending.append((at, data))

    def crash(self, path, keep):
        """Writes an image with what was flushed, and of the rest as many sectors as `keep` says, in any order."""
        image = bytearray(self.flushed)
        pending = [
            (at + i, data[i:i + SECTOR])
            for at, data in self.pending
            for i in range(0, len(data), SECTOR)
            if keep == 1 or random.random() < keep
        ]
        if 0 < keep < 1:
            random.shuffle(pending)
        for at, data in pending:
            image[at:at + len(data)] = data
        with open(path, "wb") as f:
            f.write(image)


def recover(shell, db):
    """What a shell finds: the check's answer, the number of rows, the largest number."""
    sql = "PRAGMA integrity_check; SELECT count(*), coalesce(max(n), 0) FROM log;"
    done = subprocess.run([shell, "-batch", db, sql], capture_output=True, text=True, timeout=60)
    lines = done.stdout.split("\n")
    if "no such table" in done.stderr:
        return "ok", 0, 0
    if len(lines) < 2 or "|" not in lines[-2]:
        return (done.stdout + done.stderr).strip() or "no answer", -1, -1
    count, top = lines[-2].split("|")
    return "\n".join(lines[:-2]), int(count), int(top)


def look(folder, image, shells):
    """Mounts a crashed disk and lets both shells recover what is on it."""
    mount = os.path.join(folder, "after")
    os.makedirs(mount, exist_ok=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, mount], capture_output=True, text=True)
    if mounted.returncode != 0:
        return [(f"the file system cannot be mounted: {mounted.stderr.strip()}", -1, -1)] * 2
    try:
        db = os.path.join(mount, "cut.db")
        if not os.path.exists(db):
            return [("ok", 0, 0)] * 2
        return [recover(shell, db) for shell in shells]
    finally:
        sh("umount", mount)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--sync", default="FULL")
    parser.add_argument("--journal", default="wal")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--ours", default="target/release/ringwood")
    parser.add_argument("--writer")
    parser.add_argument("--stock", default="sqlite3")
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    random.seed(args.seed)
    if lacking := missing():
        print(f"skipped: {lacking} is missing")
        sys.exit(77)
    base = "/dev/shm" if os.path.isdir("/dev/shm") else None
    folder = tempfile.mkdtemp(prefix="ringwood-blklogwrites-", dir=base)
    try:
        recorder = Recorder(folder)
        try:
            first = recorder.entries()
            db = os.path.join(recorder.mount, "cut.db")
            writer = Writer(args.writer or args.ours, db, args, recorder)
            writer.start()
            time.sleep(args.seconds)
            writer.process.kill()
            writer.process.wait()
            writer.join(5)
        finally:
            recorder.close()
        entries = read_log(recorder.log)
        os.remove(recorder.log)
        flushes = [i for i in range(first, len(entries)) if entries[i][0] & FLUSH]
        # At a flush, just before one, and anywhere.
        points = random.sample(flushes, min(len(flushes), args.cuts // 3))
        points += [i + 1 for i in random.sample(flushes, min(len(flushes), args.cuts // 3))]
        points += [random.randrange(first, len(entries)) for _ in range(args.cuts - len(points))]
        disk, image = Disk(entries), os.path.join(folder, "crashed.img")
        lost = broken = most = unflushed = 0
        for number, point in enumerate(sorted(points)):
            disk.go_to(point)
            unflushed += bool(disk.pending)
            disk.crash(image, random.choice([0, 1, 0.5, 0.1, 0.9]))
            acknowledged = max((n for at, n in writer.acknowledged if at <= point), default=0)
            shells = [args.ours, args.stock] if number % 2 else [args.stock, args.ours]
            found, second = look(folder, image, shells)
            check, count, top = found
            if check != "ok" or count != top or second != found:
                broken += 1
                if args.sync != "OFF":
                    said = [f"{shell} finds {str(what)[:300]}" for shell, what in zip(shells, (found, second))]
                    print(f"entry {point}: acknowledged {acknowledged}: {', '.join(said)}")
            elif top < acknowledged:
                lost += 1
                most = max(most, acknowledged - top)
                if args.sync in ("FULL", "EXTRA"):
                    print(f"entry {point}: {acknowledged} was acknowledged, {top} is there")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"{args.sync}, {args.journal}: {len(writer.acknowledged)} commits, {len(entries) - first} entries with "
        f"{len(flushes)} flushes; {len(points)} cuts, {unflushed} of them with unflushed writes: "
        f"{lost} lost acknowledged commits (at most {most}), {broken} broken"
    )
    if args.sync == "OFF":
        sys.exit(lost + broken == 0)
    sys.exit(broken > 0 or (lost > 0 and args.sync != "NORMAL"))


if __name__ == "__main__":
    main()
