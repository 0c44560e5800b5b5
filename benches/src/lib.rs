//! What the measuring programs share: a load generator that costs little, a look at processes, and a report.
//!
//! Every program in `src/bin` measures both sides of a comparison in one run and prints the ratio, because absolute numbers
//! say more about the machine than about the program.

mod alone;
mod arguments;
mod load;
mod process;
mod report;
mod rig;
mod samples;
mod three_steps;

pub use alone::alone;
pub use arguments::Arguments;
pub use load::{Accept, HttpTarget, Load, MakeRequest, closed_loop};
pub use process::{cpu_seconds, folder_bytes, rss_kib};
pub use report::Report;
pub use rig::Rig;
pub use samples::{Samples, median};
pub use three_steps::{three_step_agent, three_step_target};
