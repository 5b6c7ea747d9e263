"""What an agent may do: labels on values, a grant per plan, approvals by people, and one pure decision."""
