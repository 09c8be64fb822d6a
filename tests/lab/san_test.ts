/** Every test of the storage network, in one lab: hosts take long to boot. */
import "./contract.ts";
import "./agreement.ts";
import "./nexuses.ts";
import "./devices.ts";
