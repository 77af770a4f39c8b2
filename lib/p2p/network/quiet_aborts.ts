/** The part of `@libp2p/tcp` that opens sockets; not in its types. */
interface Dialer {
  _connect(address: unknown, options: { readonly signal: AbortSignal }): Promise<unknown>;
}

/**
 * Makes the TCP transport end a dial that is aborted without an error that nobody handles.
 *
 * The transport hands the signal of a dial on to `net.connect`, which destroys the socket with an
 * AbortError when it is aborted; but by then the transport has seen the signal itself and stopped to
 * listen for errors. So `net.connect` must not get it: the transport spreads the options, which
 * leaves out what is only inherited.
 */
export function withQuietAborts<Components, Transport>(
  create: (components: Components) => Transport,
): (components: Components) => Transport {
  return (components) => {
    const transport = create(components);
    const dialer = transport as unknown as Dialer;
    const connect = dialer._connect.bind(transport);
    dialer._connect = (address, { signal, ...others }) =>
      connect(address, Object.assign(Object.create({ signal }), others));
    return transport;
  };
}
