// Small parts of several views: dialogs, notes, badges, figures.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { type ApiError } from "./api";
import { Icon, type IconName } from "../ui/icon";

interface DialogProps {
  title: string;
  onClose: () => void;
  wide?: boolean;
  children: ComponentChildren;
}

/** A modal dialog, which keeps the focus and ends with Escape. */
export function Dialog({ title, onClose, wide = false, children }: DialogProps) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const at = box.current;
    if (at && !at.open) at.showModal();
  }, []);
  return (
    <dialog
      ref={box}
      class={wide ? "wide" : ""}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === box.current) onClose();
      }}
    >
      <div class="sheet">
        <header>
          <h2>{title}</h2>
          <button type="button" class="quiet" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  text: string;
  action: string;
  onDone: () => void;
  run: () => Promise<unknown>;
}

/** Asks before what cannot be taken back; shows why it failed. */
export function Confirm({ title, text, action, onDone, run }: ConfirmProps) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  return (
    <Dialog title={title} onClose={onDone}>
      <p>{text}</p>
      {error && <Note tone="bad">{error}</Note>}
      <footer class="actions">
        <button type="button" onClick={onDone}>
          Cancel
        </button>
        <button
          type="button"
          class="danger"
          disabled={busy}
          onClick={() => {
            setBusy(true);
            run().then(onDone, (failure: ApiError) => {
              setBusy(false);
              setError(failure.message);
            });
          }}
        >
          {action}
        </button>
      </footer>
    </Dialog>
  );
}

export function Note({ tone, children }: { tone: "info" | "good" | "warn" | "bad"; children: ComponentChildren }) {
  return (
    <div class={`note ${tone}`} role={tone === "bad" ? "alert" : undefined}>
      {tone !== "info" && <Icon name={tone === "good" ? "check" : "warning"} size={18} />}
      <div>{children}</div>
    </div>
  );
}

export function Badge({ tone = "", children }: { tone?: string; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

export function Figure({ label, value, unit = "", tone = "" }: { label: string; value: string; unit?: string; tone?: string }) {
  return (
    <div class={`figure ${tone}`}>
      <dt>{label}</dt>
      <dd>
        {value}
        {unit && <small> {unit}</small>}
      </dd>
    </div>
  );
}

/** What a view shows instead of its rows. */
export function Empty({ icon, title, children }: { icon: IconName; title: string; children?: ComponentChildren }) {
  return (
    <div class="emptystate">
      <Icon name={icon} size={40} />
      <h2>{title}</h2>
      {children}
    </div>
  );
}

/** An error of a poll, above the last good figures. */
export function Trouble({ error }: { error: ApiError | null }) {
  return error && error.status !== 401 ? <Note tone="bad">{error.message}</Note> : null;
}

interface PagerProps {
  start: number;
  count: number;
  total: number;
  onMove: (start: number) => void;
}

export function Pager({ start, count, total, onMove }: PagerProps) {
  if (total <= count && start === 0) return null;
  const last = Math.min(total, start + count);
  return (
    <nav class="pager" aria-label="Pages">
      <button type="button" disabled={start === 0} onClick={() => onMove(Math.max(0, start - count))}>
        Newer
      </button>
      <span>
        {total ? start + 1 : 0}–{last} of {total}
      </span>
      <button type="button" disabled={last >= total} onClick={() => onMove(start + count)}>
        Older
      </button>
    </nav>
  );
}
