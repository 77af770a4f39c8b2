import { cbor } from "./cbor.ts";
import { json } from "./json.ts";
import { msgpack } from "./msgpack.ts";
import type { Serializer, SerializerName } from "./serializer.ts";

/** The serializers, by their index. */
export const serializers: readonly [Serializer, Serializer, Serializer] = [json, msgpack, cbor];

const byName: Readonly<Record<SerializerName, Serializer>> = { json, msgpack, cbor };

export function serializerOf(name: SerializerName): Serializer {
  return byName[name];
}

/** @returns undefined: no serializer that is known has this number. */
export function serializerOfRawSocketId(id: number): Serializer | undefined {
  return serializers.find(({ rawSocketId }) => rawSocketId === id);
}
