import { UsageError } from "../errors.ts";
import { type Kind, oneOf, quote } from "./kind.ts";

/** An option without a value: on when it is there. `--no-name` and the environment can say off. */
export const flag: Kind<boolean> = {
  placeholder: "",
  parse(text) {
    if (/^(1|true|yes|on)$/i.test(text)) return true;
    if (/^(0|false|no|off)$/i.test(text)) return false;
    throw new UsageError(`${quote(text)} is neither true nor false`);
  },
  format: String,
};

/** Any text but the empty one. */
export const text: Kind<string> = {
  placeholder: "text",
  parse(text) {
    if (text === "") throw new UsageError("the value is empty");
    return text;
  },
  format: (value) => value,
};

/** The path of a file; whether it can be read or written shows when it is opened. */
export const file: Kind<string> = {
  placeholder: "file",
  parse(text) {
    if (text === "") throw new UsageError("the file name is empty");
    if (text === "-") {
      throw new UsageError(
        `"-" (standard input or output) is not possible here; name a file, or write ./- for one ` +
          `that is called so`,
      );
    }
    if (text.includes("\0")) throw new UsageError(`${quote(text)} is not a file name`);
    return text;
  },
  format: (value) => value,
};

/** The path of a file, or `-` for standard input or output, whichever the option is about. */
export const fileOrStream: Kind<string> = {
  placeholder: "file|-",
  parse: (text) => text === "-" ? text : file.parse(text),
  format: (value) => value,
};

/** One of the words given here, in lower case. */
export function choice<const Word extends string>(...words: readonly Word[]): Kind<Word> {
  return {
    placeholder: words.join("|"),
    parse(text) {
      const word = words.find((word) => word === text.toLowerCase());
      if (word === undefined) {
        throw new UsageError(`${quote(text)} is unknown; use ${oneOf(words)}`);
      }
      return word;
    },
    format: (value) => value,
  };
}

/** A protocol name for ALPN: RFC 7301, section 3.1 gives it 1 to 255 bytes. */
export const protocolName: Kind<string> = {
  placeholder: "name",
  parse(text) {
    const length = new TextEncoder().encode(text).length;
    if (length < 1 || length > 255) {
      throw new UsageError(`a protocol name has 1 to 255 bytes, this one has ${length}`);
    }
    return text;
  },
  format: (value) => value,
};
