// Why a play ended, in a sentence, and whether another try makes sense.

export interface Ending {
  why: string;
  /** No: it would end in the same way. */
  again: boolean;
  /** Seconds that the server asks to wait. */
  after?: number;
  /** The stream came to its end; nothing failed. */
  clean?: boolean;
}

const CLOSE_CODES: Record<number, Ending> = {
  1000: { why: "The stream ended: its publisher left.", again: true, clean: true },
  1001: { why: "The server stops.", again: true, clean: true },
  1008: { why: "The server disconnected this player: an operator or a rule asked for it.", again: false },
  1011: { why: "This connection was too slow for the stream.", again: true },
  1012: { why: "The clock of the stream began anew.", again: true, after: 0 },
  3000: { why: "The stream needs a token or a password.", again: false },
  3003: { why: "This server does not let you play the stream.", again: false },
};

/** Of the close of a WebSocket. */
export function endingOfClose(code: number, reason: string): Ending {
  const known = CLOSE_CODES[code];
  if (!known) return { why: "The connection was lost.", again: true };
  return reason && !known.clean ? { ...known, why: `${known.why} (${reason})` } : known;
}

const STATUS: Record<number, Ending> = {
  401: { why: "The stream needs a token or a password.", again: false },
  403: { why: "This server does not let you play the stream.", again: false },
  404: { why: "Nobody publishes this stream now.", again: true },
  406: { why: "The stream cannot be sent in this container.", again: false },
  503: { why: "The server has no room for another player now.", again: true },
};

/** Of an answer that is no stream. */
export async function endingOfAnswer(answer: Response): Promise<Ending> {
  const known = STATUS[answer.status] ?? { why: `The server answers ${answer.status}.`, again: answer.status >= 500 };
  const after = Number(answer.headers.get("retry-after")) || undefined;
  const text = (await answer.text().catch(() => "")).trim().slice(0, 300);
  const plain = text && !text.startsWith("<") && answer.status !== 404;
  return { ...known, why: plain ? `${known.why} (${text})` : known.why, after };
}
