/** The types of libp2p that this project names. */
export type {
  ComponentLogger,
  Connection,
  ConnectionGater,
  Libp2p,
  Listener,
  Logger,
  MessageStream,
  PeerId,
  PrivateKey,
  PublicKey,
  Stream,
  StreamCloseEvent,
  StreamMessageEvent,
  StreamMuxer,
  StreamMuxerFactory,
  Topology,
} from "@libp2p/interface";
