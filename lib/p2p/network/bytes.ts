import { Uint8ArrayList } from "uint8arraylist";

/** Bytes in several pieces, as libp2p hands them on: a view, not a copy. */
export { Uint8ArrayList };

/** Bytes in one piece or in several. */
export type Bytes = Uint8Array | Uint8ArrayList;
