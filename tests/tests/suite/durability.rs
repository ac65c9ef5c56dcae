//! What was acknowledged stays: through power cuts, `kill -9` and full disks.

mod commands;
mod full;
mod killed;
mod power_mn;
mod power_sn;
mod replay;
