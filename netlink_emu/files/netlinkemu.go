// SPDX-License-Identifier: MIT

// Package netlinkemu gives Go tests an emulated kernel whose netlink the clients under test use.
//
// It starts "netlink-emu serve" and talks to it by "netlink-emu ctl", one line of JSON a command.
// It needs nothing but the standard library, and netlink-emu in the PATH. Copy it into your module:
//
//	mkdir netlinkemu && cp "$(netlink-emu files netlinkemu.go)" netlinkemu/
package netlinkemu

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Program is what is started: the name of a program in the PATH, or a path.
var Program = "netlink-emu"

// Error is what a command of netlink-emu failed with. Errno is a name like "ESRCH", empty where
// the kernel was not even asked.
type Error struct {
	Message string `json:"error"`
	Errno   string `json:"errno"`
}

func (e *Error) Error() string { return e.Message }

// Kernel is an emulated kernel. Its methods may be called from several goroutines.
type Kernel struct {
	// Socket is the path of its Unix socket.
	Socket string

	t       testing.TB
	mu      sync.Mutex
	control *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// Start starts a kernel that ends with the test. The options are those of "netlink-emu serve",
// such as "--release", "5.10". The test fails if the kernel cannot start, or ends by a failure.
func Start(t testing.TB, options ...string) *Kernel {
	t.Helper()
	directory, err := os.MkdirTemp("", "netlinkemu")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(directory) })
	k := &Kernel{t: t, Socket: filepath.Join(directory, "nl")}
	k.serve(options)
	k.connect()
	return k
}

func (k *Kernel) serve(options []string) {
	k.t.Helper()
	ready, told, err := os.Pipe()
	if err != nil {
		k.t.Fatal(err)
	}
	defer ready.Close()
	// The first of ExtraFiles is descriptor 3.
	args := append([]string{"serve", "--socket", k.Socket, "--control", "--ready-fd", "3"}, options...)
	server := exec.Command(Program, args...)
	var said bytes.Buffer
	server.Stderr = &said
	server.ExtraFiles = []*os.File{told}
	err = server.Start()
	told.Close()
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() {
		server.Process.Signal(syscall.SIGINT)
		err := server.Wait()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 130 {
			err = nil // that is how it ends by SIGINT
		}
		if err != nil && !k.t.Failed() {
			k.t.Errorf("%s %s: %v\n%s", Program, strings.Join(args, " "), err, said.Bytes())
		}
	})
	if line, _ := io.ReadAll(ready); len(line) == 0 {
		server.Wait()
		k.t.Fatalf("%s %s did not start\n%s", Program, strings.Join(args, " "), said.Bytes())
	}
}

func (k *Kernel) connect() {
	k.t.Helper()
	k.control = exec.Command(Program, "ctl", "-", "--socket", k.Socket)
	k.control.Stderr = os.Stderr
	in, err := k.control.StdinPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	out, err := k.control.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := k.control.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.in, k.out = in, bufio.NewReader(out)
	k.t.Cleanup(func() {
		in.Close()
		k.control.Wait() // its status says that a command failed: the test knows
	})
}

// Try carries out a command of netlink-emu's tasks, faults, journal or family, one word an argument:
//
//	k.Try("tasks", "spawn", "postgres", "--pid", "4242", "utime=1.5")
//
// The result is JSON, nil where the command has none. What the kernel refuses is an *Error.
func (k *Kernel) Try(words ...string) (json.RawMessage, error) {
	quoted := make([]string, len(words))
	for i, word := range words {
		if strings.ContainsAny(word, "\r\n") {
			return nil, &Error{Message: fmt.Sprintf("a command is one line: %q", word)}
		}
		quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, err := fmt.Fprintln(k.in, strings.Join(quoted, " ")); err != nil {
		return nil, fmt.Errorf("netlink-emu ctl has ended: %w", err)
	}
	line, err := k.out.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("netlink-emu ctl has ended: %w", err)
	}
	var answer struct {
		OK     bool            `json:"ok"`
		Result json.RawMessage `json:"result"`
		Error
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return nil, fmt.Errorf("netlink-emu ctl said %q: %w", line, err)
	}
	if !answer.OK {
		return nil, &answer.Error
	}
	return answer.Result, nil
}

// Do is Try, and fails the test where that fails.
func (k *Kernel) Do(words ...string) json.RawMessage {
	k.t.Helper()
	result, err := k.Try(words...)
	if err != nil {
		k.t.Fatalf("%s: %v", strings.Join(words, " "), err)
	}
	return result
}

// Rows is Do of a command that lists something: an object a row.
func (k *Kernel) Rows(words ...string) []map[string]any {
	k.t.Helper()
	var rows []map[string]any
	if err := json.Unmarshal(k.Do(words...), &rows); err != nil {
		k.t.Fatalf("%s does not list anything: %v", strings.Join(words, " "), err)
	}
	return rows
}

// Spawn makes a task, and returns its pid. The options are those of "netlink-emu tasks spawn".
func (k *Kernel) Spawn(comm string, options ...string) int {
	k.t.Helper()
	var made struct{ Pid int }
	result := k.Do(append([]string{"tasks", "spawn", comm}, options...)...)
	if err := json.Unmarshal(result, &made); err != nil {
		k.t.Fatalf("tasks spawn said %s: %v", result, err)
	}
	return made.Pid
}

// Command is exec.Command of a program whose netlink this kernel answers.
func (k *Kernel) Command(name string, args ...string) *exec.Cmd {
	run := []string{"run", "--connect", k.Socket, "--", name}
	return exec.Command(Program, append(run, args...)...)
}
