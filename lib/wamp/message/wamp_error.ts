/** A WAMP error: what a call, a subscription, … is answered with. */
export class WampError extends Error {
  readonly uri: string;
  readonly args: readonly unknown[];

  constructor(uri: string, message: string) {
    super(message);
    this.name = "WampError";
    this.uri = uri;
    this.args = [message];
  }
}
