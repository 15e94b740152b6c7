#!/usr/bin/env python3
"""Real power cuts: a loop-mounted ext4 image that is shut down while a shell writes to it.

    sudo testkit/powercut.py [--cycles 100] [--sync FULL|NORMAL|OFF] [--writer PATH] [--ours PATH] [--stock sqlite3]

A cycle: the writer's shell commits numbered rows, one line each, and every answer that comes back counts as an
acknowledgement. At a random moment the file system is shut down without writing its log (FS_IOC_SHUTDOWN with NOLOGFLUSH:
what was not synced is gone), unmounted and mounted again. Then our shell and stock sqlite3, in turn, recover the file:
it must be whole, its rows must be 1 to n without a gap, and n at least the last number acknowledged before the cut began
(an acknowledgement that returns after it does not count).

With FULL nothing may be lost. With NORMAL the end may be; nothing may be torn. With OFF anything may happen: the control
that shows that the rig bites. Exits with 1 where FULL or NORMAL broke their promise, or OFF never lost anything.
"""
import argparse
import ctypes
import fcntl
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

FS_IOC_SHUTDOWN = 0x8004587D
NOLOGFLUSH = 2


def sh(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


class Writer(threading.Thread):
    """Feeds a shell with commits and counts its answers."""

    def __init__(self, shell, db, sync, start):
        super().__init__(daemon=True)
        words = ["stdbuf", "-oL", shell, db] if "sqlite3" in shell else [shell, "-batch", db]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        self.process.stdin.write(
            b"PRAGMA journal_mode=WAL;PRAGMA synchronous=%s;PRAGMA wal_autocheckpoint=%d;\n"
            b"CREATE TABLE IF NOT EXISTS log(n INTEGER PRIMARY KEY, v BLOB, w UNIQUE);\n"
            % (sync.encode(), random.choice([1, 10, 50, 1000]))
        )
        self.acknowledged = start
        self.next = start + 1

    def run(self):
        try:
            while True:
                n = self.next
                self.next += 1
                line = "INSERT INTO log VALUES(%d, randomblob(%d), hex(randomblob(8))); SELECT 'ack', %d WHERE changes()=1;\n"
                self.process.stdin.write((line % (n, random.choice([10, 300, 9000]), n)).encode())
                wanted = b"ack|%d\n" % n
                while True:
                    answer = self.process.stdout.readline()
                    if not answer:
                        return
                    if answer == wanted:
                        break
                self.acknowledged = n
        except (BrokenPipeError, ValueError):
            pass


class Rig:
    def __init__(self, size_mib=96):
        self.dir = tempfile.mkdtemp(prefix="ringwood-powercut-")
        self.image = os.path.join(self.dir, "image")
        self.mount = os.path.join(self.dir, "mount")
        os.mkdir(self.mount)
        with open(self.image, "wb") as f:
            f.truncate(size_mib << 20)
        sh("mkfs.ext4", "-q", "-F", self.image)
        self.up()

    def up(self):
        sh("mount", "-o", "loop", self.image, self.mount)

    def cut(self):
        fd = os.open(self.mount, os.O_RDONLY)
        fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        os.close(fd)

    def down(self):
        for _ in range(50):
            if subprocess.run(["umount", self.mount], capture_output=True).returncode == 0:
                return
            time.sleep(0.05)
        sh("umount", "-l", self.mount)

    def close(self):
        subprocess.run(["umount", self.mount], capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)


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


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--sync", default="FULL")
    parser.add_argument("--ours", default="target/release/ringwood")
    parser.add_argument("--writer")
    parser.add_argument("--stock", default="sqlite3")
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    random.seed(args.seed)
    writer_shell = args.writer or args.ours
    rig = Rig()
    db = os.path.join(rig.mount, "cut.db")
    done, lost, most, broken, commits, top = 0, 0, 0, 0, 0, 0
    started = time.time()
    try:
        for cycle in range(args.cycles):
            if cycle % 20 == 0:
                for suffix in ("", "-wal", "-shm", "-journal"):
                    if os.path.exists(db + suffix):
                        os.remove(db + suffix)
                sh("sync")
                top = 0
            writer = Writer(writer_shell, db, args.sync, top)
            writer.start()
            before = top
            time.sleep(random.uniform(0.02, 0.25))
            acknowledged = writer.acknowledged
            rig.cut()
            writer.process.kill()
            writer.process.wait()
            writer.join(5)
            rig.down()
            rig.up()
            done += 1
            commits += acknowledged - before
            # Who looks first recovers, and the other one sees what was made of it.
            shells = [args.ours, args.stock]
            if cycle % 2:
                shells.reverse()
            if not os.path.exists(db):
                found = [("ok", 0, 0)] * 2
            else:
                found = [recover(shell, db) for shell in shells]
            (check, count, top), second = found
            if check != "ok" or count != top or second != found[0]:
                broken += 1
                print(f"cycle {cycle}: acknowledged {acknowledged}: {shells[0]} finds {found[0]}, {shells[1]} {second}")
                keep = os.path.join(tempfile.gettempdir(), f"powercut-{args.sync}-{cycle}")
                shutil.copytree(rig.mount, keep, dirs_exist_ok=True, ignore=shutil.ignore_patterns("lost+found"))
                top = max(top, 0)
                for suffix in ("", "-wal", "-shm"):
                    if os.path.exists(db + suffix):
                        os.remove(db + suffix)
                top = 0
            elif top < acknowledged:
                lost += 1
                most = max(most, acknowledged - top)
                if args.sync == "FULL":
                    print(f"cycle {cycle}: {acknowledged} was acknowledged, {top} is there")
    finally:
        rig.close()
    seconds = (time.time() - started) / max(done, 1)
    print(
        f"{args.sync}, written by {os.path.basename(writer_shell)}: {done} cuts, {commits} commits acknowledged before them, "
        f"{lost} cuts lost some (at most {most}), {broken} broken, {seconds:.2f} s a cut"
    )
    if args.sync == "FULL":
        sys.exit(lost + broken > 0)
    if args.sync == "NORMAL":
        sys.exit(broken > 0)
    sys.exit(lost + broken == 0)


if __name__ == "__main__":
    main()
