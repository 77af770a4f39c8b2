import { SigningKey } from "../cryptosign/cryptosign.ts";
import type { Dict } from "../message/message.ts";
import { ProtocolViolation } from "../message/protocol_violation.ts";
import type { Credentials } from "./router_access.ts";

/** The client's side of cryptosign (specification, section "Cryptosign-based Authentication"). */
export class Login {
  /** What HELLO says beside the roles. */
  readonly hello: Dict;
  /** Who it is, for the report of a refusal: nothing secret. */
  readonly shown: string;
  readonly #key: SigningKey;

  constructor({ authid, seed }: Credentials) {
    this.#key = new SigningKey(Buffer.from(seed, "hex"));
    const { publicKey } = this.#key;
    this.hello = {
      authmethods: ["cryptosign"],
      ...(authid === undefined ? {} : { authid }),
      authextra: { pubkey: publicKey, channel_binding: null },
    };
    this.shown = ` (${authid === undefined ? "" : `authid ${authid}, `}public key ${publicKey})`;
  }

  /**
   * The signature that AUTHENTICATE carries.
   *
   * @throws {ProtocolViolation} the challenge is none of cryptosign, or of a kind that was not offered.
   */
  answer(method: string, { challenge, channel_binding: binding }: Dict): string {
    if (method !== "cryptosign") {
      throw new ProtocolViolation("CHALLENGE came with a method that was not offered");
    }
    if (typeof challenge !== "string" || !/^[0-9a-f]{64}$/i.test(challenge)) {
      throw new ProtocolViolation("CHALLENGE came without 32 bytes in hex");
    }
    if (binding !== undefined && binding !== null) {
      throw new ProtocolViolation("CHALLENGE came with a channel binding that was not offered");
    }
    return this.#key.answer(challenge);
  }
}
