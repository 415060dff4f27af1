// The name and the password that the API asks for. They are kept for this tab, until it is closed.

import { useState } from "preact/hooks";

import { type ApiError, ask, locked, logIn } from "./api";
import { Icon } from "../ui/icon";
import { Note } from "./parts";

export function Login({ onDone }: { onDone: () => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  return (
    <main class="login">
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          setBusy(true);
          logIn(name, password);
          ask("versions")
            .then(
              () => {
                locked.value = false;
                onDone();
              },
              (failure: ApiError) => setProblem(failure.message),
            )
            .finally(() => setBusy(false));
        }}
      >
        <Icon name="lock" size={36} />
        <h1>fastflv console</h1>
        <label>
          Name
          <input type="text" name="username" autoComplete="username" required autoFocus value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <label>
          Password
          <input type="password" name="password" autoComplete="current-password" required value={password} onInput={(event) => setPassword(event.currentTarget.value)} />
        </label>
        {problem && <Note tone="bad">{problem}</Note>}
        <button type="submit" class="primary" disabled={busy}>
          Log in
        </button>
        {location.protocol === "http:" && !["localhost", "127.0.0.1", "[::1]"].includes(location.hostname) && (
          <p class="muted">This page came over plain HTTP: the password can be read on the way. http_api has an https block.</p>
        )}
      </form>
    </main>
  );
}
