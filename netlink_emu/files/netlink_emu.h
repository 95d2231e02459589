/* SPDX-License-Identifier: MIT */
/* NETLINK_EMU: control of a kernel that netlink-emu emulates.
 * Written by scripts/write-docs from protocol/ours/control.py. */
#ifndef NETLINK_EMU_H
#define NETLINK_EMU_H

#define NETLINK_EMU_GENL_NAME "NETLINK_EMU"
#define NETLINK_EMU_GENL_VERSION 1
#define NETLINK_EMU_MCGRP_JOURNAL "journal"

/* Commands. A reply has the command of its request. */
enum {
	NLEMU_CMD_TASK_GET = 1, /* A task by number; as a dump, all of them, zombies too. */
	NLEMU_CMD_TASK_NEW = 2, /* Spawn a process, or with tgid a thread of that process. */
	NLEMU_CMD_TASK_SET = 3, /* Change a task: account amounts, move it, let it exec. */
	NLEMU_CMD_TASK_END = 4, /* End a process by an exit code (0 by default) or a signal, or one thread. */
	NLEMU_CMD_TASK_REAP = 5, /* Have the parent wait for a zombie; its number is free then. */
	NLEMU_CMD_TASK_STORM = 6, /* Let many processes start and end, one after the other; without cpu, on all in turn. */
	NLEMU_CMD_CPU_GET = 7, /* The possible CPUs, and which are online. */
	NLEMU_CMD_CPU_SET = 8, /* Take a CPU down, or bring it up. */
	NLEMU_CMD_CGROUP_NEW = 9, /* Make a cgroup and those above it; an existing one gets the directory. */
	NLEMU_CMD_CGROUP_DEL = 10, /* Remove an empty cgroup. */
	NLEMU_CMD_CGROUP_ATTACH = 11, /* Move a task to a cgroup. */
	NLEMU_CMD_MACHINE_GET = 12, /* The kernel's release, and the machine's clock. */
	NLEMU_CMD_MACHINE_SET = 13, /* Let time pass; switch delay accounting. */
	NLEMU_CMD_LISTENER_GET = 14, /* Who is registered for exits on which CPU. */
	NLEMU_CMD_WAIT = 15, /* Wait for a listener or a request; the reply comes when there is one, or time is up. */
	NLEMU_CMD_FAULT_NEW = 16, /* Add a rule. */
	NLEMU_CMD_FAULT_GET = 17, /* The rules. */
	NLEMU_CMD_FAULT_DEL = 18, /* Remove a rule, or without id all of them. */
	NLEMU_CMD_FAULT_RELEASE = 19, /* Let arrive at once what rules hold back. */
	NLEMU_CMD_OVERRUN = 20, /* Overrun sockets at once: their next receive gives ENOBUFS. */
	NLEMU_CMD_JOURNAL_GET = 21, /* The journal, or what of it matches. */
	NLEMU_CMD_JOURNAL_NOTE = 22, /* Add a line of one's own. */
	NLEMU_CMD_JOURNAL_CLEAR = 23, /* Forget all entries. */
	NLEMU_CMD_JOURNAL_NTF = 24, /* An entry, as it is made; to the group journal. */
	NLEMU_CMD_RESET = 25, /* Forget tasks (but init), cgroups, listeners, faults and journal; all CPUs are online, and families have their first objects and answers. */
	NLEMU_CMD_FAMILY_GET = 26, /* The families that were added to the kernel; of one with a store a row for each kind. */
	NLEMU_CMD_OBJECT_GET = 27, /* The objects of a kind in a family's store. */
	NLEMU_CMD_OBJECT_NEW = 28, /* Add an object, and notify the family's groups, as if the machine had done it. */
	NLEMU_CMD_OBJECT_SET = 29, /* Change the object with that key, and notify the family's groups, as if the machine had done it. */
	NLEMU_CMD_OBJECT_DEL = 30, /* Remove the object with that key, and notify the family's groups, as if the machine had done it. */
	NLEMU_CMD_FAMILY_NOTIFY = 31, /* Send a notification to a multicast group of the family. */
	NLEMU_CMD_FAMILY_REPLY = 32, /* Answer an operation with these values from now on. */
	NLEMU_CMD_FAMILY_FAIL = 33, /* Let an operation fail from now on. */
	NLEMU_CMD_FAMILY_FORGET = 34, /* Answer an operation as before family-reply and family-fail. */
	NLEMU_CMD_SOCKET_GET = 35, /* The sockets of clients, but of those who control. */
	NLEMU_CMD_WATCH_GET = 36, /* The number of the journal's newest entry, and how much there is. */
};

/* What is accounted to a task; times in nanoseconds. */
enum {
	NLEMU_A_AMOUNT_UTIME = 1, /* u64: CPU time, user, in nanoseconds. */
	NLEMU_A_AMOUNT_STIME = 2, /* u64: CPU time, system, in nanoseconds. */
	NLEMU_A_AMOUNT_CPU_DELAY = 3, /* u64: One wait of the kind cpu, in nanoseconds. */
	NLEMU_A_AMOUNT_BLKIO_DELAY = 4, /* u64: One wait of the kind blkio, in nanoseconds. */
	NLEMU_A_AMOUNT_SWAPIN_DELAY = 5, /* u64: One wait of the kind swapin, in nanoseconds. */
	NLEMU_A_AMOUNT_FREEPAGES_DELAY = 6, /* u64: One wait of the kind freepages, in nanoseconds. */
	NLEMU_A_AMOUNT_THRASHING_DELAY = 7, /* u64: One wait of the kind thrashing, in nanoseconds. */
	NLEMU_A_AMOUNT_COMPACT_DELAY = 8, /* u64: One wait of the kind compact, in nanoseconds. */
	NLEMU_A_AMOUNT_WPCOPY_DELAY = 9, /* u64: One wait of the kind wpcopy, in nanoseconds. */
	NLEMU_A_AMOUNT_IRQ_DELAY = 10, /* u64: One wait of the kind irq, in nanoseconds. */
	NLEMU_A_AMOUNT_MIN_FLT = 11, /* u64: Added to the counter of this name. */
	NLEMU_A_AMOUNT_MAJ_FLT = 12, /* u64: Added to the counter of this name. */
	NLEMU_A_AMOUNT_NVCSW = 13, /* u64: Added to the counter of this name. */
	NLEMU_A_AMOUNT_NIVCSW = 14, /* u64: Added to the counter of this name. */
	NLEMU_A_AMOUNT_RCHAR = 15, /* u64: Added to the counter of this name. */
	NLEMU_A_AMOUNT_WCHAR = 16, /* u64: Added to the counter of this name. */
	NLEMU_A_AMOUNT_SYSCR = 17, /* u64: Added to the counter of this name. */
	NLEMU_A_AMOUNT_SYSCW = 18, /* u64: Added to the counter of this name. */
	NLEMU_A_AMOUNT_READ_BYTES = 19, /* u64: Added to the counter of this name. */
	NLEMU_A_AMOUNT_WRITE_BYTES = 20, /* u64: Added to the counter of this name. */
	NLEMU_A_AMOUNT_CANCELLED_WRITE_BYTES = 21, /* u64: Added to the counter of this name. */
	NLEMU_A_AMOUNT_RSS_KIB = 22, /* u64: Memory in use during the CPU time of the same message, in KiB. */
	NLEMU_A_AMOUNT_VM_KIB = 23, /* u64: Memory in use during the CPU time of the same message, in KiB. */
};

/* A task, and what happens to it. */
enum {
	NLEMU_A_TASK_PID = 1, /* u32: The task's number. */
	NLEMU_A_TASK_TGID = 2, /* u32: The number of its process; in task-new, that of the process that gets a thread. */
	NLEMU_A_TASK_PPID = 3, /* u32: The number of its parent; init by default. */
	NLEMU_A_TASK_COMM = 4, /* string: Its name. In task-new without it, a copy of the parent; in task-set, an exec. */
	NLEMU_A_TASK_CPU = 5, /* u32: The CPU that it is on. */
	NLEMU_A_TASK_UID = 6, /* u32: Whose it is. */
	NLEMU_A_TASK_GID = 7, /* u32: Its group. */
	NLEMU_A_TASK_NICE = 8, /* u32: Its nice value, as a signed number. */
	NLEMU_A_TASK_POLICY = 9, /* u32: Its scheduling policy, SCHED_*. */
	NLEMU_A_TASK_STATE = 10, /* u32: What CGROUPSTATS counts it as. */
	NLEMU_A_TASK_EXIT_STATUS = 11, /* u32: Its wait status, once it has ended: the code times 256, or the signal. */
	NLEMU_A_TASK_AMOUNTS = 12, /* nest: What is accounted to it, added up. */
	NLEMU_A_TASK_CODE = 13, /* u32: The code to exit with, 0 to 255. */
	NLEMU_A_TASK_SIGNAL = 14, /* u32: The signal that ends it. */
	NLEMU_A_TASK_CORE = 15, /* flag: A core was dumped. */
	NLEMU_A_TASK_ONE_THREAD = 16, /* flag: Only this thread ends. */
	NLEMU_A_TASK_ZOMBIE = 17, /* flag: The parent does not wait for it. */
	NLEMU_A_TASK_COUNT = 18, /* u32: How many; in a dump, at most so many. */
	NLEMU_A_TASK_LIFETIME = 19, /* u64: How long each lives, in nanoseconds; for a clock that stands still. */
	NLEMU_A_TASK_SKIP = 20, /* u32: How many to leave out, from the lowest number on. */
	NLEMU_A_TASK_WORDS = 21, /* string: Only tasks with each of these words in their number or name. */
};

/* The machine: its CPUs, cgroups, clock. */
enum {
	NLEMU_A_MACHINE_CPU = 1, /* u32: A possible CPU. */
	NLEMU_A_MACHINE_ONLINE = 2, /* u32: 1 online, 0 offline. */
	NLEMU_A_MACHINE_CGROUP = 3, /* string: Path of a cgroup, as a/b. */
	NLEMU_A_MACHINE_PID = 4, /* u32: A task's number. */
	NLEMU_A_MACHINE_DEV = 5, /* u64: st_dev of a directory that stands for the cgroup: who opens that, and names the descriptor to CGROUPSTATS_CMD_GET, asks for the cgroup. */
	NLEMU_A_MACHINE_INO = 6, /* u64: st_ino of that directory. */
	NLEMU_A_MACHINE_RELEASE = 7, /* string: The emulated kernel's release. */
	NLEMU_A_MACHINE_MONOTONIC = 8, /* u64: The machine's time since boot, in nanoseconds. */
	NLEMU_A_MACHINE_REALTIME = 9, /* u64: The machine's time since 1970, in nanoseconds. */
	NLEMU_A_MACHINE_ADVANCE = 10, /* u64: Let so many nanoseconds pass; for a clock that stands still. */
	NLEMU_A_MACHINE_DELAYACCT = 11, /* u32: kernel.task_delayacct: 1 if tasks that are spawned from now on have delays. */
};

/* What clients do: listeners, requests, the journal. */
enum {
	NLEMU_A_WATCH_PORTID = 1, /* u32: A client's portid. */
	NLEMU_A_WATCH_CPU = 2, /* u32: A CPU that it listens on. */
	NLEMU_A_WATCH_REQUEST = 3, /* string: Criteria of messages, as in the command line: cmd=TASKSTATS_CMD_GET pid=42. In wait, a request; without it, a listener is waited for. */
	NLEMU_A_WATCH_COUNT = 4, /* u32: How many to wait for, by default 1; in a dump, at most so many, the journal's newest. */
	NLEMU_A_WATCH_SINCE = 5, /* u32: Only entries of the journal with higher numbers count. */
	NLEMU_A_WATCH_TIMEOUT = 6, /* u32: How long to wait, in milliseconds of real time; by default 5000. */
	NLEMU_A_WATCH_TIMED_OUT = 7, /* flag: It did not come. */
	NLEMU_A_WATCH_NUMBER = 8, /* u32: An entry's number in the journal. */
	NLEMU_A_WATCH_TIME = 9, /* u64: When it happened, by the machine's clock. */
	NLEMU_A_WATCH_WHAT = 10, /* string: What it is: sent, queued, dropped, fault, opened, bound, option, membership, closed, overrun, remark, listener, task, note. In journal-get, these alone, with blanks between. */
	NLEMU_A_WATCH_TEXT = 11, /* string: It in words, several lines. */
	NLEMU_A_WATCH_JSON = 12, /* string: It as a JSON object; left out where the message would be too long. */
	NLEMU_A_WATCH_DATA = 13, /* binary: The datagram. */
	NLEMU_A_WATCH_PID = 14, /* u32: The client's process. */
	NLEMU_A_WATCH_COMM = 15, /* string: The client's name. */
	NLEMU_A_WATCH_SOCKETS = 16, /* u32: How many sockets clients have. */
	NLEMU_A_WATCH_TASKS = 17, /* u32: How many tasks there are, zombies too. */
	NLEMU_A_WATCH_DROPS = 18, /* u32: How many datagrams clients' sockets have lost, also those that are closed: the sum of their drops. */
};

/* Sockets of clients. */
enum {
	NLEMU_A_SOCKET_PORTID = 1, /* u32: Its portid, 0 while it has none. */
	NLEMU_A_SOCKET_PID = 2, /* u32: The client's process. */
	NLEMU_A_SOCKET_COMM = 3, /* string: The client's name. */
	NLEMU_A_SOCKET_PROTOCOL = 4, /* u32: Its netlink protocol, NETLINK_*. */
	NLEMU_A_SOCKET_FAMILIES = 5, /* string: The families that it has asked, with blanks between. */
	NLEMU_A_SOCKET_GROUPS = 6, /* string: Its multicast groups, as family:group or a number, likewise. */
	NLEMU_A_SOCKET_DATAGRAMS = 7, /* u32: How many datagrams are in its receive queue. */
	NLEMU_A_SOCKET_QUEUE = 8, /* u32: How much of its receive buffer they take, in bytes. */
	NLEMU_A_SOCKET_RCVBUF = 9, /* u32: SO_RCVBUF. */
	NLEMU_A_SOCKET_DROPS = 10, /* u32: How many datagrams it has lost for want of room. */
	NLEMU_A_SOCKET_CONGESTED = 11, /* flag: It has lost some, and its queue was not read empty since. */
	NLEMU_A_SOCKET_SKIP = 12, /* u32: How many to leave out, from the oldest on. */
	NLEMU_A_SOCKET_COUNT = 13, /* u32: At most so many. */
};

/* Faults on demand. */
enum {
	NLEMU_A_FAULT_ID = 1, /* u32: A rule's number. */
	NLEMU_A_FAULT_RULE = 2, /* string: A rule, as in the command line: delay seconds=0.5 cmd=TASKSTATS_CMD_GET count=2. */
	NLEMU_A_FAULT_SEEN = 3, /* u32: How many messages it matched. */
	NLEMU_A_FAULT_APPLIED = 4, /* u32: How often it came in. */
	NLEMU_A_FAULT_PORTID = 5, /* u32: The sockets with this portid. */
	NLEMU_A_FAULT_PID = 6, /* u32: The sockets of this process. */
	NLEMU_A_FAULT_COMM = 7, /* string: The sockets of processes of this name. */
	NLEMU_A_FAULT_COUNT = 8, /* u32: How many were hit, or arrived. */
};

/* Families of one's own: the objects of their stores, notifications, answers. */
enum {
	NLEMU_A_FAMILY_NAME = 1, /* string: The family's name. */
	NLEMU_A_FAMILY_ID = 2, /* u32: Its number, the message type of its requests. */
	NLEMU_A_FAMILY_KIND = 3, /* string: A kind of objects that its store keeps. */
	NLEMU_A_FAMILY_KEY = 4, /* string: The attributes that tell such objects apart. */
	NLEMU_A_FAMILY_JSON = 5, /* string: Values by the names of the family's spec, as JSON; bytes in hex. An object for a store; for family-reply also several in a list, or null for an ack without an answer. */
	NLEMU_A_FAMILY_OPERATION = 6, /* string: One of its operations, as its spec names it. */
	NLEMU_A_FAMILY_GROUP = 7, /* string: A multicast group; by default the notification's own. */
	NLEMU_A_FAMILY_ERRNO = 8, /* u32: What the operation fails with, a positive number. */
	NLEMU_A_FAMILY_TEXT = 9, /* string: The extended ack's text. */
	NLEMU_A_FAMILY_ATTRIBUTE = 10, /* string: The attribute that the extended ack blames: level, colour.red. */
	NLEMU_A_FAMILY_MISSING = 11, /* string: The attribute that the extended ack says is missing. */
	NLEMU_A_FAMILY_TIMES = 12, /* u32: How often it is answered so; by default always. */
};

/* NLEMU_A_TASK_STATE, as CGROUPSTATS tells states apart. */
enum {
	NETLINK_EMU_STATE_RUNNING = 0,
	NETLINK_EMU_STATE_SLEEPING = 1,
	NETLINK_EMU_STATE_UNINTERRUPTIBLE = 2,
	NETLINK_EMU_STATE_STOPPED = 3,
	NETLINK_EMU_STATE_OTHER = 4,
	NETLINK_EMU_STATE_FREEZABLE = 5,
};

#endif
