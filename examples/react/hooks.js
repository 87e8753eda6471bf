// React hooks over examples/web/collab.js, or by socketio.js over socket.io-client. A client is made
// and connected once, outside of all components, and handed down:
//
//   <CollabProvider client={client}> ... </CollabProvider>

import { createContext, createElement, useContext, useEffect, useMemo, useRef, useState } from "react";

const Context = createContext(null);

export function CollabProvider({ client, children }) {
  return createElement(Context.Provider, { value: client }, children);
}

export function useClient() {
  const client = useContext(Context);
  if (!client) throw new Error("there is no CollabProvider around this component");
  return client;
}

// { state, retryAt, pending, error }, as Client.status of collab.js.
export function useConnectionStatus() {
  const client = useClient();
  const [status, setStatus] = useState(client.status);
  useEffect(() => {
    setStatus(client.status);
    return client.onStatus(setStatus);
  }, [client]);
  return status;
}

// Is in a room as long as the component is there. handlers: an object of functions by type, such as
// {"task:moved": (event) => ...}; it may be another one each time. onGap is called when events may
// have been missed. state: joining, joined or refused; then error says why.
export function useRoom(name, handlers = {}, { onGap } = {}) {
  const client = useClient();
  const room = useMemo(() => client.room(name), [client, name]);
  const [{ state, error }, setState] = useState({ state: "joining", error: null });
  const latest = useRef();
  latest.current = { handlers, onGap };
  useEffect(() => {
    let isHere = true;
    const set = (next) => isHere && setState(next);
    const offs = [
      room.on("*", (event) => latest.current.handlers[event.type]?.(event)),
      room.onGap((why) => latest.current.onGap?.(why)),
    ];
    setState({ state: "joining", error: null });
    room.join().then(
      () => set({ state: "joined", error: null }),
      (fault) => set({ state: "refused", error: fault }),
    );
    return () => {
      isHere = false;
      offs.forEach((off) => off());
      room.leave();
    };
  }, [room]);
  const publish = useMemo(() => room.publish.bind(room), [room]);
  return { room, state, error, publish };
}

// Who is in a room: a list of { user, status }, by name. names: those of the catalog's events and
// fields that differ from what Room.presence() of collab.js takes them for.
export function usePresence(name, names = {}) {
  const { room } = useRoom(name);
  const [people, setPeople] = useState([]);
  const called = JSON.stringify(names);
  useEffect(() => {
    const show = (users) =>
      setPeople([...users].map(([user, status]) => ({ user, status })).sort(byUser));
    const presence = room.presence(show, JSON.parse(called));
    return () => {
      presence.end();
      setPeople([]);
    };
  }, [room, called]);
  return people;
}

function byUser(a, b) {
  return a.user < b.user ? -1 : 1;
}

// Who else types about something, and what tells that this user does. data says what it is about,
// such as {taskId: "t1"}; of what others type only that counts.
export function useTyping(name, data = {}, options = {}) {
  const { start = "typing:user_typing", stop = "typing:user_stopped", expires = 6000 } = options;
  const client = useClient();
  const room = useMemo(() => client.room(name), [client, name]);
  const about = JSON.stringify(data);
  const [users, setUsers] = useState([]);
  const typing = useMemo(
    () => room.typing(JSON.parse(about), { start, stop, ...options }),
    [room, about, start, stop],
  );
  useEffect(() => {
    const fields = Object.entries(JSON.parse(about));
    const isAbout = (event) => fields.every(([field, value]) => event.data?.[field] === value);
    const key = (event) => JSON.stringify([event.user, isAbout(event)]);
    const others = room.others(start, { then: stop, expires, key }, (latest) => {
      const now = [...latest.values()].filter(isAbout).map((event) => event.user);
      setUsers([...new Set(now)].sort());
    });
    return () => {
      others.end();
      typing.stop();
      setUsers([]);
    };
  }, [room, about, start, stop, expires, typing]);
  return { users, key: typing.key, stop: typing.stop };
}
