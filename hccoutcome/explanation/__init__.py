"""What an output was made of: SHAP values of trained systems, figures of them, and the room that shap needs."""
