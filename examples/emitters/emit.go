// emit live|keep ROOM TYPE [DATA]
//
// Publishes an event with nothing but a Redis client, as collab-redis(7) says. DATA is JSON. `live` is
// for who is there now, and prints how many gateways and tools got it. `keep` puts the event into the
// room's history as well, in one step, and prints its id. Redis is where $COLLAB_REDIS says, a URL as
// the tools take it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/gomodule/redigo/redis"
)

type Emitter struct {
	conn   redis.Conn
	run    string
	script *redis.Script
}

// An event's fields stand in this order.
type event struct {
	Type string          `json:"type"`
	Room string          `json:"room"`
	User string          `json:"user,omitempty"`
	Time string          `json:"time"`
	Data json.RawMessage `json:"data"`
}

func Dial(url string) (*Emitter, error) {
	var conn redis.Conn
	var err error
	if strings.HasPrefix(url, "unix:") {
		conn, err = redis.Dial("unix", strings.TrimPrefix(strings.TrimPrefix(url, "unix:"), "//"))
	} else {
		conn, err = redis.DialURL(url)
	}
	return &Emitter{conn: conn}, err
}

func format(room, kind, user string, data json.RawMessage) ([]byte, error) {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	return json.Marshal(event{kind, room, user, now, data})
}

// Live publishes to who is there. It returns how many gateways and tools got it.
func (e *Emitter) Live(room, kind, user string, data json.RawMessage) (int, error) {
	text, err := format(room, kind, user, data)
	if err != nil {
		return 0, err
	}
	return redis.Int(e.conn.Do("PUBLISH", "collab:room:"+room, text))
}

var runID = regexp.MustCompile(`(?m)^run_id:(\w+)`)

func (e *Emitter) prepare() error {
	info, err := redis.String(e.conn.Do("INFO", "server"))
	if err != nil {
		return err
	}
	text, err := redis.String(e.conn.Do("HGET", "collab:scripts", "append"))
	if err != nil {
		return err
	}
	if found := runID.FindStringSubmatch(info); found != nil {
		e.run = found[1]
	}
	e.script = redis.NewScript(2, text)
	return nil
}

// Keep publishes, and keeps the event in the room's history: length and age as the catalog has them
// for the room. It returns the event's id.
func (e *Emitter) Keep(room, kind, user string, data json.RawMessage, length int,
	age time.Duration) (string, error) {
	if e.script == nil {
		if err := e.prepare(); err != nil {
			return "", err
		}
	}
	text, err := format(room, kind, user, data)
	if err != nil {
		return "", err
	}
	// Both keys have the room in braces, so that on a cluster they are on one server.
	return redis.String(e.script.Do(e.conn, "collab:history:{"+room+"}",
		"collab:epoch:{"+room+"}:"+e.run, text[1:], length, age.Milliseconds(),
		time.Now().UnixMilli(), "collab:room:"+room))
}

func fail(why interface{}) {
	fmt.Fprintln(os.Stderr, "emit:", why)
	os.Exit(1)
}

func main() {
	args := os.Args[1:]
	if len(args) < 3 || len(args) > 4 || (args[0] != "live" && args[0] != "keep") {
		fail("usage: emit live|keep ROOM TYPE [DATA]")
	}
	data := json.RawMessage("null")
	if len(args) == 4 {
		data = json.RawMessage(args[3])
	}
	url := os.Getenv("COLLAB_REDIS")
	if url == "" {
		url = "redis://127.0.0.1:6379"
	}
	emitter, err := Dial(url)
	if err != nil {
		fail(err)
	}
	var answer interface{}
	if args[0] == "live" {
		answer, err = emitter.Live(args[1], args[2], "", data)
	} else {
		answer, err = emitter.Keep(args[1], args[2], "", data, 1000, 7*24*time.Hour)
	}
	if err != nil {
		fail(err)
	}
	fmt.Println(answer)
}
