/**
 * How a client learns which server it has reached, through proxies and on every transport: the first
 * thing on a connection is a question of 48 bytes, 16 that name it and 32 that are 0. A server that
 * announces its id answers with the same bytes and its id in the place of the zeros. One that does not
 * echoes the question: it has no id, and what follows is undisturbed either way.
 */
export const serverQuestionBytes = 48;

export const maxServerIdBytes = 32;

const name = new TextEncoder().encode("holdfast-server?");

/** The question, as it is sent. */
export const serverQuestion: Uint8Array = serverAnswer("");

/**
 * The answer of a server.
 *
 * @throws {RangeError} the id has more than 32 bytes.
 */
export function serverAnswer(id: string): Uint8Array {
  const bytes = new Uint8Array(serverQuestionBytes);
  bytes.set(name);
  bytes.set(new TextEncoder().encode(id), name.length);
  return bytes;
}

/** Whether bytes are a question from their beginning on, as far as they go and it goes. */
export function beginsLikeQuestion(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, serverQuestionBytes);
  for (let i = 0; i < length; i++) if (bytes[i] !== serverQuestion[i]) return false;
  return true;
}

/**
 * The id in an answer of 48 bytes.
 *
 * @returns an empty text where the question came back as it was; undefined where it is no answer.
 */
export function readServerId(answer: Uint8Array): string | undefined {
  for (let i = 0; i < name.length; i++) if (answer[i] !== name[i]) return undefined;
  let end = name.length;
  while (end < serverQuestionBytes && answer[end] !== 0) end++;
  return new TextDecoder().decode(answer.subarray(name.length, end));
}
