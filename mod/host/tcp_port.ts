/** Byte streams. @module */

/** Addresses are `HOST:PORT`. */
export interface TcpPort {
  listen(local: string, onAccept: (connection: TcpConnection) => TcpEvents): TcpListener;
  /** `onOpen`/`onClose` tell how it went; the connection may be written to after `onOpen`. */
  connect(remote: string, events: TcpEvents): TcpConnection;
}

export interface TcpListener {
  close(): void;
}

export interface TcpEvents {
  onOpen?(): void;
  onData(bytes: Uint8Array): void;
  /** Exactly once, for whatever reason. */
  onClose(): void;
}

export interface TcpConnection {
  /** Queues bytes in order. */
  write(bytes: Uint8Array): void;
  /** Bytes queued and not yet taken by the system: the measure for back-pressure. */
  queued(): number;
  close(): void;
}
