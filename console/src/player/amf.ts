// Script data of FLV tags. Spec: AMF 0, 2.

export type AmfValue = number | boolean | string | null | AmfValue[] | { [name: string]: AmfValue };

const DEPTH_MAX = 8;
const VALUES_MAX = 4096;

class AmfError extends Error {}

/** Read all values of a tag's body; those before what cannot be read. */
export function readAmf(body: Uint8Array): AmfValue[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const text = new TextDecoder();
  let at = 0;
  let left = VALUES_MAX;

  function short(): number {
    at += 2;
    return view.getUint16(at - 2);
  }

  function string(size: number): string {
    if (at + size > body.length) throw new AmfError();
    at += size;
    return text.decode(body.subarray(at - size, at));
  }

  function object(depth: number): AmfValue {
    const found: { [name: string]: AmfValue } = {};
    for (;;) {
      const name = string(short());
      if (!name && view.getUint8(at) === 9) {
        at += 1;
        return found;
      }
      found[name] = value(depth + 1);
    }
  }

  function value(depth: number): AmfValue {
    left -= 1;
    if (depth > DEPTH_MAX || left < 0) throw new AmfError();
    const kind = view.getUint8(at++);
    switch (kind) {
      case 0:
        at += 8;
        return view.getFloat64(at - 8);
      case 1:
        return view.getUint8(at++) !== 0;
      case 2:
        return string(short());
      case 3:
        return object(depth);
      case 5:
      case 6:
        return null;
      case 8:
        at += 4;
        return object(depth);
      case 10: {
        const count = view.getUint32(at);
        at += 4;
        const found: AmfValue[] = [];
        for (let n = 0; n < count; n++) found.push(value(depth + 1));
        return found;
      }
      case 11:
        at += 10;
        return view.getFloat64(at - 10);
      case 12: {
        const size = view.getUint32(at);
        at += 4;
        return string(size);
      }
      default:
        throw new AmfError();
    }
  }

  const found: AmfValue[] = [];
  try {
    while (at < body.length) found.push(value(0));
  } catch (error) {
    // RangeError: the body ends within a value.
    if (!(error instanceof AmfError || error instanceof RangeError)) throw error;
  }
  return found;
}
