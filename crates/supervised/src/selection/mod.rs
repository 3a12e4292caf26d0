//! Which columns of a table say something about the classes.

mod mutual_information;
mod ranked;
mod recursive_elimination;

pub use mutual_information::{MutualInformation, MutualInformationConfig, mutual_information};
pub use ranked::{RankedSelectionConfig, RankingMethod};
pub use recursive_elimination::{Elimination, EliminationConfig, EliminationRound, recursive_elimination};
