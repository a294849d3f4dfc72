// Command ssh-git-server serves the bare repositories below a directory over SSH, to the public keys that lie beside them.
//
// NAME.git/deploy-keys holds a line "read KEY" or "write KEY" for each, in the form of authorized_keys. The file is read for
// every connection, and the refusals are worded as hosts of repositories word theirs.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	hostKey := flag.String("host-key", "", "file with the private host key")
	root := flag.String("root", "", "directory of the repositories")
	flag.Parse()

	pem, err := os.ReadFile(*hostKey)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		log.Fatal(err)
	}
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			files, err := filepath.Glob(filepath.Join(*root, "*.git", "deploy-keys"))
			if err != nil {
				return nil, err
			}
			for _, file := range files {
				if access(file, key) != "" {
					return &ssh.Permissions{Extensions: map[string]string{"key": string(key.Marshal())}}, nil
				}
			}
			return nil, errors.New("unknown key")
		},
	}
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(connection, config, *root)
	}
}

// access returns "read", "write", or nothing.
func access(file string, key ssh.PublicKey) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for _, line := range strings.Split(string(text), "\n") {
		may, rest, _ := strings.Cut(line, " ")
		known, _, _, _, err := ssh.ParseAuthorizedKey([]byte(rest))
		if err == nil && bytes.Equal(known.Marshal(), key.Marshal()) {
			return may
		}
	}
	return ""
}

func serve(connection net.Conn, config *ssh.ServerConfig, root string) {
	defer connection.Close()
	server, channels, requests, err := ssh.NewServerConn(connection, config)
	if err != nil {
		log.Print(err)
		return
	}
	go ssh.DiscardRequests(requests)
	key, err := ssh.ParsePublicKey([]byte(server.Permissions.Extensions["key"]))
	if err != nil {
		log.Print(err)
		return
	}
	for offered := range channels {
		if offered.ChannelType() != "session" {
			_ = offered.Reject(ssh.UnknownChannelType, "only sessions are served")
			continue
		}
		channel, requests, err := offered.Accept()
		if err != nil {
			log.Print(err)
			return
		}
		go session(channel, requests, key, root)
	}
}

func session(channel ssh.Channel, requests <-chan *ssh.Request, key ssh.PublicKey, root string) {
	defer channel.Close()
	protocol := ""
	for request := range requests {
		switch request.Type {
		case "env":
			var variable struct{ Name, Value string }
			if ssh.Unmarshal(request.Payload, &variable) == nil && variable.Name == "GIT_PROTOCOL" {
				protocol = variable.Value
			}
			_ = request.Reply(true, nil)
		case "exec":
			var command struct{ Line string }
			if ssh.Unmarshal(request.Payload, &command) != nil {
				_ = request.Reply(false, nil)
				return
			}
			_ = request.Reply(true, nil)
			code := run(channel, command.Line, protocol, key, root)
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{code}))
			return
		default:
			_ = request.Reply(false, nil)
		}
	}
}

var command = regexp.MustCompile(`^git[- ](upload-pack|receive-pack) '/?([A-Za-z0-9._-]+\.git)'$`)

func run(channel ssh.Channel, line, protocol string, key ssh.PublicKey, root string) uint32 {
	refuse := func(reason string) uint32 {
		fmt.Fprintf(channel.Stderr(), "ERROR: %s\n", reason)
		return 1
	}
	words := command.FindStringSubmatch(line)
	if words == nil {
		return refuse("only Git is served here.")
	}
	directory := filepath.Join(root, words[2])
	switch may := access(filepath.Join(directory, "deploy-keys"), key); {
	case may == "":
		return refuse("Repository not found.")
	case may != "write" && words[1] == "receive-pack":
		return refuse("The key you are authenticating with has been marked as read only.")
	}
	git := exec.Command("git", words[1], directory)
	git.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_PROTOCOL="+protocol)
	git.Stdout, git.Stderr = channel, channel.Stderr()
	// Not as Stdin, which would be waited for until the client closes it.
	stdin, err := git.StdinPipe()
	if err != nil {
		return refuse(err.Error())
	}
	if err := git.Start(); err != nil {
		return refuse(err.Error())
	}
	go func() {
		_, _ = io.Copy(stdin, channel)
		_ = stdin.Close()
	}()
	if err := git.Wait(); err != nil {
		return 1
	}
	return 0
}
