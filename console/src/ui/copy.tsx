// A text with a button that copies it.
import { useEffect, useState } from "preact/hooks";
import { Icon } from "./icon";

interface Props {
  /** What it is, for its label and the button. */
  label: string;
  text: string;
  /** A long text is shown in several lines. */
  wrap?: boolean;
}

export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages without TLS have no clipboard but this one.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export function CopyLine({ label, text, wrap = false }: Props) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  return (
    <div class="copyline">
      <span class="muted">{label}</span>
      <code tabIndex={0} class={wrap ? "wrap" : undefined}>{text}</code>
      <button type="button" aria-label={`Copy: ${label}`} onClick={() => void copyText(text).then(setDone)}>
        <Icon name={done ? "check" : "copy"} size={17} />
        <span class="hidden" role="status">
          {done ? "copied" : ""}
        </span>
      </button>
    </div>
  );
}
