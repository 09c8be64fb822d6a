/** The FUSE codec: bytes of /dev/fuse ↔ the words of `requests.ts`. Pure. @module */
export { decodeRequest } from "./decode.ts";
export { encodeNotice, encodeReply, fittingEntries } from "./encode.ts";
export { type Agreement, type InitRequest, negotiate } from "./init.ts";
export { ROOT_NODE, TRANSFER_BYTES_MAX } from "./protocol.ts";
